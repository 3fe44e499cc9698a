/**
 * What the stream's listing says about one shard, where reads alone cannot decide.
 *
 * - The end: a response without a next iterator is believed when the listing shows the shard closed, or shows
 *   children of it. A listing may lag behind a reshard, and a response may come from a proxy: until then
 *   reading continues.
 * - Gone: a shard that "does not exist" is gone when every listing for a minute is without it. Treating it as
 *   ended would write SHARD_END over whatever it holds.
 * - A stream that does not exist, or cannot be listed, proves nothing about its shards.
 */
import type { Clock } from "../../ports/clock.ts";
import type { Shard } from "../../ports/stream.ts";

const GONE_AFTER_MILLIS = 60_000;

export type Listed =
  | { readonly kind: "open" }
  /** Closed, or listed as a parent. `children`: those that are listed. */
  | { readonly kind: "closed"; readonly children: readonly Shard[] }
  /** Not listed. `isLasting`: for `GONE_AFTER_MILLIS` or longer. */
  | { readonly kind: "absent"; readonly isLasting: boolean; readonly children: readonly Shard[] };

export class ShardListing {
  readonly #listShards: () => Promise<readonly Shard[]>;
  readonly #clock: Clock;
  readonly #shardId: string;
  #absentSinceMillis: number | undefined;

  constructor(listShards: () => Promise<readonly Shard[]>, clock: Clock, shardId: string) {
    this.#listShards = listShards;
    this.#clock = clock;
    this.#shardId = shardId;
  }

  /** The shard was read: it exists, whatever the listings say. */
  seen(): void {
    this.#absentSinceMillis = undefined;
  }

  /**
   * Lists the shards once.
   * @throws StreamError
   */
  async find(): Promise<Listed> {
    const shards = await this.#listShards();
    const children = shards.filter((shard) => shard.parentShardIds.includes(this.#shardId));
    const listed = shards.find((shard) => shard.shardId === this.#shardId);
    if (listed !== undefined) {
      this.#absentSinceMillis = undefined;
      return listed.closed || children.length > 0 ? { kind: "closed", children } : { kind: "open" };
    }
    const now = this.#clock.monotonicMillis();
    this.#absentSinceMillis ??= now;
    return { kind: "absent", isLasting: now - this.#absentSinceMillis >= GONE_AFTER_MILLIS, children };
  }
}
