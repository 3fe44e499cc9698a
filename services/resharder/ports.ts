/** What the resharder needs of the outside, in its own words. */
import type { OpenShard } from "./plan-reshard.ts";

export interface ExistingShard extends OpenShard {
  readonly shardId: string;
}

export type RefusalReason =
  | "busy" // the stream is being changed: wait until it is ACTIVE
  | "throttled" // too many calls, or a limit: back off
  | "stale" // the shard is closed or not adjacent any more: list again
  | "unavailable"; // no answer, or a 5xx: the call may have happened, and may be repeated

/** A call that may succeed later. Every action of the resharder is safe to repeat, so each of these is tried again. */
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

/** Every method may throw `StreamRefusal`; anything else that goes wrong passes through as it is. */
export interface ReshardableStream {
  /** `updating` also while it is being created. */
  status(): Promise<"active" | "updating">;
  /** Paginated; meaningful while the stream is active, and even then it may lag behind the last change. */
  openShards(): Promise<readonly ExistingShard[]>;
  /** As the stream's summary counts them: a second opinion on `openShards`. */
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
  /** Owner per lease row: paginated, strongly consistent. Rows that are not leases are left out. May throw `TableRefusal`. */
  leaseOwners(): Promise<readonly LeaseOwner[]>;
  /** Asks the leading worker to list shards at its next poll. `no-fleet`: no worker has ever joined, so none can be woken. */
  wake(): Promise<"woken" | "no-fleet">;
}
