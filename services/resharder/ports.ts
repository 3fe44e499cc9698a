/** What the resharder needs of the outside, in its own words. */
import type { OpenShard } from "./plan-reshard.ts";

export interface ExistingShard extends OpenShard {
  readonly shardId: string;
}

export type StreamProblem =
  | "busy" // the stream is being changed by somebody: wait until it is ACTIVE
  | "throttled" // too many calls: back off
  | "stale"; // the shard is closed or not adjacent any more: look again

export class StreamRefusal extends Error {
  override readonly name = "StreamRefusal";
  readonly problem: StreamProblem;
  constructor(problem: StreamProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

/** Every method may throw `StreamRefusal`; anything else that goes wrong passes through as it is. */
export interface ReshardableStream {
  /** `updating` also while it is being created. */
  status(): Promise<"active" | "updating">;
  /** Paginated; meaningful while the stream is active. */
  openShards(): Promise<readonly ExistingShard[]>;
  split(shardId: string, newStartingHashKey: bigint): Promise<void>;
  merge(lowerShardId: string, upperShardId: string): Promise<void>;
}

export interface LeaseOwner {
  readonly leaseKey: string;
  readonly owner: string | undefined;
}

export interface Fleet {
  /** Owner per lease row: paginated, strongly consistent. Rows that are not leases are left out. */
  leaseOwners(): Promise<readonly LeaseOwner[]>;
  /** Asks the leading worker to list shards at its next look. `no-fleet`: nobody has ever joined, so nobody can be woken. */
  wake(): Promise<"woken" | "no-fleet">;
}
