import type { HashRange } from "./hash-range.ts";

/** A shard as the stream lists it. */
export interface Shard {
  readonly shardId: string;
  /** None, one (split) or two (merge). A parent that was trimmed away may be named and yet not listed. */
  readonly parentShardIds: readonly string[];
  readonly hashRange: HashRange;
  /** It has an ending sequence number: no more writes. */
  readonly closed: boolean;
  /** The first that the shard could give out; never changes. Undefined: the answer does not say. */
  readonly startingSequenceNumber?: string | undefined;
}
