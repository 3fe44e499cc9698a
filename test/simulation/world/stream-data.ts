/**
 * The stream itself: shards, records and reshards, with Kinesis's rules. Everything happens at one instant;
 * latency, iterators and limits belong to the reader (memory-stream.ts).
 */

import {
  adjacent,
  FULL_RANGE,
  type HashRange,
  MAX_HASH_KEY,
  midpoint,
  width,
} from "../../../src/core/hash-range.ts";
import type { Shard, StreamRecord } from "../../../src/ports/stream.ts";
import type { Happening } from "./history.ts";
import { EPOCH_MILLIS } from "./sim-clock.ts";

export interface StoredRecord extends StreamRecord {
  readonly key: string;
  readonly n: number;
  /** True virtual time of the put. */
  readonly putAt: number;
}

export interface ShardData {
  shard: Shard;
  readonly records: StoredRecord[];
  readonly openedAt: number;
  closedAt: number | undefined;
}

/**
 * Small enough that a simulated fleet handles thousands of them, large enough for a byte budget to count
 * them.
 */
const RECORD_BYTES = new Uint8Array(64);

export const shardName = (number: number): string => `shardId-${String(number).padStart(12, "0")}`;

export class StreamData {
  readonly #shards = new Map<string, ShardData>();
  readonly #record: (happening: Happening) => void;
  readonly #now: () => number;
  #nextShard = 0;
  #nextSequence = 0;

  constructor(
    shardCount: number,
    record: (happening: Happening) => void = () => undefined,
    now: () => number = () => 0,
  ) {
    this.#record = record;
    this.#now = now;
    const size = (MAX_HASH_KEY + 1n) / BigInt(shardCount);
    for (let index = 0; index < shardCount; index++) {
      const start = size * BigInt(index);
      const end = index === shardCount - 1 ? FULL_RANGE.end : start + size - 1n;
      this.#open([], { start, end });
    }
  }

  shard(shardId: string): ShardData | undefined {
    return this.#shards.get(shardId);
  }

  shards(): ShardData[] {
    return [...this.#shards.values()];
  }

  openShards(): ShardData[] {
    return this.shards().filter((data) => data.closedAt === undefined);
  }

  childrenOf(shardId: string): Shard[] {
    return this.shards()
      .map((data) => data.shard)
      .filter((shard) => shard.parentShardIds.includes(shardId));
  }

  put(key: string, hash: bigint, n: number, bytes: Uint8Array = RECORD_BYTES): StoredRecord {
    const data = this.openShards().find(
      ({ shard }) => shard.hashRange.start <= hash && hash <= shard.hashRange.end,
    );
    if (data === undefined) throw new Error(`no open shard covers hash ${hash}`);
    this.#nextSequence += 1;
    const sequenceNumber = `49${String(this.#nextSequence).padStart(20, "0")}`;
    const stored: StoredRecord = {
      data: bytes,
      partitionKey: key,
      sequenceNumber,
      subSequenceNumber: 0,
      approximateArrivalTimestamp: new Date(EPOCH_MILLIS + this.#now()),
      key,
      n,
      putAt: this.#now(),
    };
    data.records.push(stored);
    this.#record({ type: "put", shardId: data.shard.shardId, sequenceNumber, key, n });
    return stored;
  }

  /** SplitShard in the middle. False when the shard is closed or one key wide. */
  split(shardId: string): boolean {
    const data = this.#shards.get(shardId);
    if (data === undefined || data.closedAt !== undefined) return false;
    const { hashRange } = data.shard;
    const middle = midpoint(hashRange);
    if (middle === undefined) return false;
    this.#close(data);
    this.#open([shardId], { start: hashRange.start, end: middle - 1n });
    this.#open([shardId], { start: middle, end: hashRange.end });
    return true;
  }

  /** MergeShards with the open shard right above. False when there is none. */
  merge(shardId: string): boolean {
    const lower = this.#shards.get(shardId);
    if (lower === undefined || lower.closedAt !== undefined) return false;
    const upper = this.openShards().find(({ shard }) => adjacent(lower.shard.hashRange, shard.hashRange));
    if (upper === undefined) return false;
    this.#close(lower);
    this.#close(upper);
    this.#open([shardId, upper.shard.shardId], {
      start: lower.shard.hashRange.start,
      end: upper.shard.hashRange.end,
    });
    return true;
  }

  /**
   * A closed shard whose records have all passed the retention period is no longer listed and cannot be read.
   */
  trim(shardId: string): void {
    this.#shards.delete(shardId);
    this.#record({ type: "shard", shardId, action: "trimmed", parents: [] });
  }

  /** The widest open shard: an even reshard splits it next. */
  widestOpen(): ShardData | undefined {
    return this.openShards().toSorted((a, b) =>
      width(b.shard.hashRange) > width(a.shard.hashRange) ? 1 : -1,
    )[0];
  }

  #close(data: ShardData): void {
    data.closedAt = this.#now();
    data.shard = { ...data.shard, closed: true };
    this.#record({ type: "shard", shardId: data.shard.shardId, action: "closed", parents: [] });
  }

  #open(parentShardIds: readonly string[], hashRange: HashRange): void {
    const shardId = shardName(this.#nextShard++);
    const shard: Shard = { shardId, parentShardIds, hashRange, closed: false };
    this.#shards.set(shardId, { shard, records: [], openedAt: this.#now(), closedAt: undefined });
    this.#record({ type: "shard", shardId, action: "opened", parents: parentShardIds });
  }
}
