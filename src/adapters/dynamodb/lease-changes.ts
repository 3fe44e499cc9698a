/**
 * The lease row after each kind of write. Pure, so that a store need not read the row back: the write's
 * condition (counter and owner as known) proves that the row was the known one, and these functions compute
 * the new one.
 */
import {
  actualOwner,
  beginsAtATime,
  type Checkpoint,
  type Lease,
  SHARD_END,
  sentinel,
} from "../../core/lease.ts";

export const sameCheckpoint = (a: Checkpoint, b: Checkpoint): boolean =>
  a.sequenceNumber === b.sequenceNumber && a.subSequenceNumber === b.subSequenceNumber;

function written(lease: Lease, changes: Partial<Lease>): Lease {
  const after = { ...lease, counter: lease.counter + 1, isPending: undefined, ...changes };
  return beginsAtATime(after.checkpoint) ? after : { ...after, startMillis: undefined };
}

/**
 * An owner switch counts if there was another owner, even one that was handing over to the claimant (as in
 * KCL).
 */
export function claimed(seen: Lease, owner: string): Lease {
  const previous = actualOwner(seen);
  const switched = previous !== undefined && previous !== owner;
  return written(seen, {
    owner,
    checkpointOwner: undefined,
    ownerSwitchesSinceCheckpoint: seen.ownerSwitchesSinceCheckpoint + (switched ? 1 : 0),
  });
}

export const renewed = (held: Lease): Lease => written(held, {});

export const checkpointed = (held: Lease, checkpoint: Checkpoint): Lease =>
  written(held, { checkpoint, ownerSwitchesSinceCheckpoint: 0 });

/**
 * Owner switches are counted since the last checkpoint. A checkpoint that moves with the hand-over restarts
 * the count.
 */
export function handedOver(held: Lease, to: string, checkpoint: Checkpoint): Lease {
  const switches = sameCheckpoint(held.checkpoint, checkpoint) ? held.ownerSwitchesSinceCheckpoint : 0;
  return written(held, {
    owner: to,
    isPending: true,
    checkpointOwner: undefined,
    checkpoint,
    ownerSwitchesSinceCheckpoint: switches + 1,
  });
}

export function released(held: Lease, checkpoint: Checkpoint): Lease {
  const switches = sameCheckpoint(held.checkpoint, checkpoint) ? held.ownerSwitchesSinceCheckpoint : 0;
  return written(held, {
    owner: undefined,
    checkpointOwner: undefined,
    checkpoint,
    ownerSwitchesSinceCheckpoint: switches,
  });
}

/** `childShardIds` empty: the row keeps those that it has (no empty set is written). */
export function completed(held: Lease, childShardIds: readonly string[]): Lease {
  return written(held, {
    owner: undefined,
    checkpointOwner: undefined,
    checkpoint: sentinel(SHARD_END),
    ownerSwitchesSinceCheckpoint: 0,
    childShardIds: childShardIds.length > 0 ? childShardIds.toSorted() : held.childShardIds,
  });
}
