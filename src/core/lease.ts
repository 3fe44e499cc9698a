/**
 * Terminology, as in KCL.
 * - shard: an ordered, append-only part of a stream; a reshard closes parents and opens children.
 * - lease: the row that says who reads a shard, and how far. One lease a shard; `leaseKey` is the shard id.
 * - lease owner: the worker that may read the shard and write its row.
 * - lease counter: +1 with every write of the row; the fence of every write and the sign of life of an owner.
 * - checkpoint: the last sequence number whose record is processed, or one of KCL's sentinels.
 * - worker: one process of the fleet. Member: a worker as the fleet rows show it.
 */
import type { HashRange } from "./hash-range.ts";

export const TRIM_HORIZON = "TRIM_HORIZON";
export const LATEST = "LATEST";
export const AT_TIMESTAMP = "AT_TIMESTAMP";
export const SHARD_END = "SHARD_END";

/** How far a shard is processed. `sequenceNumber`: decimal, or a sentinel. `subSequenceNumber`: index in a KPL aggregate (0 for plain records). */
export interface Checkpoint {
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
}

export const sentinel = (name: string): Checkpoint => ({ sequenceNumber: name, subSequenceNumber: 0 });

const SENTINELS: ReadonlySet<string> = new Set([TRIM_HORIZON, LATEST, AT_TIMESTAMP, SHARD_END]);
export const isSentinel = (checkpoint: Checkpoint): boolean => SENTINELS.has(checkpoint.sequenceNumber);

/** `Lease.startMillis` says where. Past its start, where that was means nothing; and who sets a row back to LATEST by hand means now. */
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

/** A lease row, as the core sees it. Attributes of the row that are not named here are never touched. */
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
   * Where LATEST or AT_TIMESTAMP begins, epoch milliseconds: for LATEST the moment the row was made. A lease that moves
   * before its first checkpoint goes on from there; LATEST anew would leave out what was put in between. Rows of a Java
   * fleet have none.
   */
  readonly startMillis?: number | undefined;
  /** Handed over, and not yet taken up by its new owner. */
  readonly isPending?: boolean | undefined;
  /** Set by a Java KCL 3 leader while the old owner hands over; then *it* still owns the lease. */
  readonly checkpointOwner: string | undefined;
}

/** Who may write the row: during a Java hand-over, still the old owner (KCL: `Lease.actualOwner`). */
export const actualOwner = (lease: Pick<Lease, "owner" | "checkpointOwner">): string | undefined =>
  lease.checkpointOwner ?? lease.owner;

export const isEnded = (lease: Lease): boolean => lease.checkpoint.sequenceNumber === SHARD_END;

/** No worker has ever owned it: its row is as it was made. */
export const isUntouched = (lease: Lease): boolean =>
  lease.counter === 0 && lease.owner === undefined && isSentinel(lease.checkpoint) && !isEnded(lease);

/** How many leases that have not ended the rows give to each owner. */
export function countsByOwner(leases: Iterable<Lease>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const lease of leases) {
    const owner = isEnded(lease) ? undefined : actualOwner(lease);
    if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return counts;
}
