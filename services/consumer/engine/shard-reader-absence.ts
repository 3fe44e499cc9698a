/**
 * Is a shard that "does not exist" really gone? Taking it for ended would write SHARD_END over whatever it holds, and a
 * listing may lag behind: so it is gone only when every listing for a minute was without it. A stream that cannot be
 * listed (deleted, say) proves nothing about its shards.
 */
import type { Clock } from "../../shared/clock.ts";
import type { Shard, Stream } from "../ports/stream.ts";

const GONE_AFTER_MILLIS = 60_000;

export type Presence =
  | { readonly kind: "listed" }
  | { readonly kind: "gone"; readonly children: readonly Shard[] | undefined }
  /** Not listed, but not for long enough; or the listing says nothing. */
  | { readonly kind: "unknown" };

export class ShardAbsence {
  readonly #stream: Stream;
  readonly #clock: Clock;
  readonly #shardId: string;
  #absentSinceMillis: number | undefined;

  constructor(stream: Stream, clock: Clock, shardId: string) {
    this.#stream = stream;
    this.#clock = clock;
    this.#shardId = shardId;
  }

  /** The shard was read: whatever the listings say, it is there. */
  seen(): void {
    this.#absentSinceMillis = undefined;
  }

  /** Lists shards once. */
  async check(): Promise<Presence> {
    let shards: readonly Shard[];
    try {
      shards = await this.#stream.listShards();
    } catch {
      return { kind: "unknown" }; // the caller has logged that the shard cannot be read, and tries again
    }
    const listed = shards.some((shard) => shard.shardId === this.#shardId);
    if (listed || shards.length === 0) {
      this.#absentSinceMillis = undefined;
      return { kind: listed ? "listed" : "unknown" };
    }
    const now = this.#clock.monotonicMillis();
    this.#absentSinceMillis ??= now;
    if (now - this.#absentSinceMillis < GONE_AFTER_MILLIS) return { kind: "unknown" };
    const children = shards.filter((shard) => shard.parentShardIds.includes(this.#shardId));
    return { kind: "gone", children: children.length > 0 ? children : undefined };
  }
}
