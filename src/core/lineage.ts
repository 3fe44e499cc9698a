/**
 * Which leases may be read now. A shard's records follow its parents' records, so a lease is runnable only when
 * every parent that has a row is at SHARD_END (L3). A parent without a row does not block: it was cleaned up
 * after completion, or trimmed away before we came (KCL: `BlockOnParentShardTask`). One whose row cannot be read does, and
 * one whose row is missing although it must be there (`missingParents`).
 */
import { type Application, isOpenedSince } from "./application.ts";
import { isEnded, isSentinel, isUntouched, type Lease } from "./lease.ts";

export type Readiness = "runnable" | "blocked" | "ended";

export type LeaseTable = ReadonlyMap<string, Lease>;

export const tableOf = (leases: Iterable<Lease>): LeaseTable =>
  new Map(Array.from(leases, (l) => [l.leaseKey, l]));

const NONE: ReadonlySet<string> = new Set();

/** @param blocking keys of parents that have not ended, as far as is known, and have no row in the table */
export function readiness(lease: Lease, table: LeaseTable, blocking: ReadonlySet<string> = NONE): Readiness {
  if (isEnded(lease)) return "ended";
  for (const parent of lease.parentShardIds) {
    if (blocking.has(parent)) return "blocked";
    const row = table.get(parent);
    if (row !== undefined && !isEnded(row)) return "blocked";
  }
  return "runnable";
}

/**
 * `child parent` for every lease not yet begun that names a parent without a row. Usually the parent was trimmed away
 * before anybody leased it; but a scan is no snapshot, and may have passed the parent's place before the row was
 * written and still have met the child, which is written after it.
 */
export function orphans(leases: Iterable<Lease>): string[] {
  const rows = [...leases];
  const keys = new Set(rows.map((lease) => lease.leaseKey));
  return rows
    .filter((lease) => isSentinel(lease.checkpoint) && !isEnded(lease))
    .flatMap(({ leaseKey, parentShardIds }) =>
      parentShardIds.filter((parent) => !keys.has(parent)).map((parent) => `${leaseKey} ${parent}`),
    );
}

/**
 * Parents whose rows were removed by another hand: the row of an ended parent stays until its children have started
 * (`completedLeases`), and here is a child that no worker has ever taken. Its parent's last records may be unread, so it
 * waits until the leader has made a row for the parent again (seed 931601). Of shards that were opened before the
 * application began nothing is known.
 */
export function missingParents(table: LeaseTable, application: Application): ReadonlySet<string> {
  const missing = new Set<string>();
  for (const lease of table.values()) {
    if (!isUntouched(lease) || isOpenedSince(application, lease.leaseKey) !== true) continue;
    for (const parent of lease.parentShardIds) if (!table.has(parent)) missing.add(parent);
  }
  return missing;
}

export interface Lineage {
  readonly runnable: readonly Lease[];
  readonly blocked: readonly Lease[];
  readonly ended: readonly Lease[];
}

export function lineage(table: LeaseTable, blocking: ReadonlySet<string> = NONE): Lineage {
  const runnable: Lease[] = [];
  const blocked: Lease[] = [];
  const ended: Lease[] = [];
  for (const lease of table.values()) {
    const state = readiness(lease, table, blocking);
    (state === "runnable" ? runnable : state === "blocked" ? blocked : ended).push(lease);
  }
  return { runnable, blocked, ended };
}

/**
 * The number of shards a cap formula is asked about. Open shards are the leases without children, but while
 * the parents of a merge drain there are more runnable leases than that: the larger number, so that the formula
 * never orphans a parent that must be read before its child can be.
 */
export function shardCount(table: LeaseTable, { runnable, blocked, ended }: Lineage): number {
  const parents = new Set<string>();
  for (const lease of table.values()) for (const parent of lease.parentShardIds) parents.add(parent);
  const isLeaf = (lease: Lease) => !parents.has(lease.leaseKey);
  const leaves = runnable.filter(isLeaf).length + blocked.filter(isLeaf).length + ended.filter(isLeaf).length;
  return Math.max(leaves - ended.filter(isLeaf).length, runnable.length);
}
