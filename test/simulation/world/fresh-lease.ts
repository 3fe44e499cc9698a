/** Lease rows for tests, and what a checkpoint must not do. */
import { type Checkpoint, compareCheckpoints, type Lease, sentinel } from "../../../src/core/lease.ts";

/** A lease row of a shard that nobody has read yet. */
export const freshLease = (leaseKey: string, rest: Partial<Lease> = {}): Lease => ({
  leaseKey,
  owner: undefined,
  counter: 0,
  checkpoint: sentinel("TRIM_HORIZON"),
  ownerSwitchesSinceCheckpoint: 0,
  parentShardIds: [],
  childShardIds: [],
  hashRange: undefined,
  checkpointOwner: undefined,
  ...rest,
});

export const movesBack = (before: Checkpoint, after: Checkpoint): boolean =>
  compareCheckpoints(after, before) < 0;
