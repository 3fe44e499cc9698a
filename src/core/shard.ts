import type { HashRange } from "./hash-range.ts";

/** A shard as the stream lists it. */
export interface Shard {
  readonly shardId: string;
  /** None, one (split) or two (merge). A parent that was trimmed may be named although it is not listed. */
  readonly parentShardIds: readonly string[];
  readonly hashRange: HashRange;
  /** It has an ending sequence number: no more writes. */
  readonly closed: boolean;
  /**
   * The first sequence number that the shard could assign; it never changes. Undefined: the answer does not
   * have it.
   */
  readonly startingSequenceNumber?: string | undefined;
}
