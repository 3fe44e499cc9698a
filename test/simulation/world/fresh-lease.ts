/** Lease rows for tests, and whether a checkpoint moves back. */
import { type Checkpoint, compareCheckpoints, type Lease, sentinel } from "../../../src/core/lease.ts";

/** A lease row of a shard that was never read. */
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
