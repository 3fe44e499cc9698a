/** The resharder's ports: what it needs from Kinesis and from the lease table. */
import type { OpenShard } from "./plan-reshard.ts";

export interface ExistingShard extends OpenShard {
  readonly shardId: string;
}

export type RefusalReason =
  | "busy" // the stream is being changed: wait until it is ACTIVE
  | "throttled" // too many calls, or a limit: back off
  | "stale" // the shard is closed or no longer adjacent: list again
  | "unavailable"; // no answer, or a 5xx: the call may have taken effect, and may be repeated

/**
 * A call that may succeed later. Every action of the resharder is safe to repeat, so these calls are retried.
 */
export class Refusal extends Error {
  override readonly name: string = "Refusal";
  readonly problem: RefusalReason;
  constructor(problem: RefusalReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

export class StreamRefusal extends Refusal {
  override readonly name = "StreamRefusal";
}

export class TableRefusal extends Refusal {
  override readonly name = "TableRefusal";
}

/** Every method may throw `StreamRefusal`. Other errors pass through unchanged. */
export interface ReshardableStream {
  /** `updating` also while the stream is being created. */
  status(): Promise<"active" | "updating">;
  /** Paginated. Meaningful only while the stream is active; even then it may lag behind the last change. */
  openShards(): Promise<readonly ExistingShard[]>;
  /** The count from the stream's summary: a cross-check of `openShards`. */
  openShardCount(): Promise<number>;
  split(shardId: string, newStartingHashKey: bigint): Promise<void>;
  merge(lowerShardId: string, upperShardId: string): Promise<void>;
  /** Splits or merges every shard in one call (UpdateShardCount). Kinesis allows ten a day. */
  updateShardCount(target: number): Promise<void>;
}

export interface LeaseOwner {
  readonly leaseKey: string;
  readonly owner: string | undefined;
}

export interface Fleet {
  /**
   * The owner of each lease row: paginated, strongly consistent. Other rows are left out. May throw
   * `TableRefusal`.
   */
  leaseOwners(): Promise<readonly LeaseOwner[]>;
  /**
   * Asks the leader to list shards at its next poll. `no-fleet`: no worker has ever joined, so there is none
   * to wake.
   */
  wake(): Promise<"woken" | "no-fleet">;
}
