/**
 * Terminology, as in KCL.
 *
 * - shard: an ordered, append-only part of a stream. A reshard closes parents and opens children.
 * - lease: the row that names the worker that reads a shard, and its position. One lease per shard;
 *   `leaseKey` is the shard id.
 * - lease owner: the worker that may read the shard and write its row.
 * - lease counter: +1 with every write of the row. It fences every write, and it shows that the owner is
 *   alive.
 * - checkpoint: the sequence number of the last processed record, or one of KCL's sentinels.
 * - worker: one process of the fleet. Member: a worker as the fleet rows describe it.
 */
import type { HashRange } from "./hash-range.ts";

export const TRIM_HORIZON = "TRIM_HORIZON";
export const LATEST = "LATEST";
export const AT_TIMESTAMP = "AT_TIMESTAMP";
export const SHARD_END = "SHARD_END";

/**
 * How far a shard is processed. `sequenceNumber`: decimal, or a sentinel. `subSequenceNumber`: index in a KPL
 * aggregate (0 for plain records).
 */
export interface Checkpoint {
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
}

export const sentinel = (name: string): Checkpoint => ({ sequenceNumber: name, subSequenceNumber: 0 });

const SENTINELS: ReadonlySet<string> = new Set([TRIM_HORIZON, LATEST, AT_TIMESTAMP, SHARD_END]);
export const isSentinel = (checkpoint: Checkpoint): boolean => SENTINELS.has(checkpoint.sequenceNumber);

/**
 * The lease begins at the time in `Lease.startMillis`. Past its start the lease does not need that time, and
 * it is removed. A person who sets a row back to LATEST by hand means now.
 */
export const beginsAtATime = ({ sequenceNumber }: Checkpoint): boolean =>
  sequenceNumber === LATEST || sequenceNumber === AT_TIMESTAMP;

/** Orders checkpoints: start sentinels < numbers < SHARD_END. Negative when `a` is before `b`. */
export function compareCheckpoints(a: Checkpoint, b: Checkpoint): number {
  const rank = (c: Checkpoint) => (c.sequenceNumber === SHARD_END ? 2 : isSentinel(c) ? 0 : 1);
  const byRank = rank(a) - rank(b);
  if (byRank !== 0 || rank(a) !== 1) return byRank;
  const byLength = a.sequenceNumber.length - b.sequenceNumber.length;
  if (byLength !== 0) return byLength;
  if (a.sequenceNumber !== b.sequenceNumber) return a.sequenceNumber < b.sequenceNumber ? -1 : 1;
  return a.subSequenceNumber - b.subSequenceNumber;
}

/** A lease row, as the core uses it. Other attributes of the row are never changed. */
export interface Lease {
  readonly leaseKey: string;
  /** Absent in the table when unowned. */
  readonly owner: string | undefined;
  readonly counter: number;
  readonly checkpoint: Checkpoint;
  readonly ownerSwitchesSinceCheckpoint: number;
  readonly parentShardIds: readonly string[];
  readonly childShardIds: readonly string[];
  readonly hashRange: HashRange | undefined;
  /**
   * Where LATEST or AT_TIMESTAMP begins, in epoch milliseconds. For LATEST: the moment the row was created. A
   * lease that moves before its first checkpoint continues from there. A new LATEST would skip the records
   * written in between. Rows of a Java fleet have none.
   */
  readonly startMillis?: number | undefined;
  /** Handed over, and not yet taken up by its new owner. */
  readonly isPending?: boolean | undefined;
  /**
   * The old owner, set by a Java KCL 3 leader while that owner hands the lease over. It still owns the lease.
   */
  readonly checkpointOwner: string | undefined;
}

/**
 * The worker that may write the row: during a Java hand-over, still the old owner (KCL: `Lease.actualOwner`).
 */
export const actualOwner = (lease: Pick<Lease, "owner" | "checkpointOwner">): string | undefined =>
  lease.checkpointOwner ?? lease.owner;

export const isEnded = (lease: Lease): boolean => lease.checkpoint.sequenceNumber === SHARD_END;

/** No worker has ever owned it: its row is as it was created. */
export const isUntouched = (lease: Lease): boolean =>
  lease.counter === 0 && lease.owner === undefined && isSentinel(lease.checkpoint) && !isEnded(lease);

/** How many unfinished leases the rows give to each owner. */
export function countsByOwner(leases: Iterable<Lease>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const lease of leases) {
    const owner = isEnded(lease) ? undefined : actualOwner(lease);
    if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return counts;
}
