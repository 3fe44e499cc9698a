/**
 * Which leases may be read now. A shard's records follow its parents' records. So a lease is runnable only
 * when every parent that has a row is at SHARD_END (L3).
 *
 * A parent without a row does not block: it was cleaned up after completion, or trimmed before this
 * application began (KCL: `BlockOnParentShardTask`). Two kinds of parent do block: one whose row cannot be
 * decoded, and one whose row is missing although it must exist (`missingParents`).
 */
import { type Application, isOpenedSince } from "./application.ts";
import { isEnded, isSentinel, isUntouched, type Lease } from "./lease.ts";

export type Readiness = "runnable" | "blocked" | "ended";

export type LeaseTable = ReadonlyMap<string, Lease>;

export const tableOf = (leases: Iterable<Lease>): LeaseTable =>
  new Map(Array.from(leases, (l) => [l.leaseKey, l]));

const NONE: ReadonlySet<string> = new Set();

/** @param blocking keys of parents without a usable row that must be taken as not ended */
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
 * `child parent` for every lease that has not begun and names a parent without a row. Usually the parent was
 * trimmed before any worker leased it. But a scan is not a snapshot: it may pass the parent's position before
 * that row is written, and still return the child, which is written later.
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
 * Parents whose rows were removed by hand or by another program. The row of an ended parent stays until its
 * children have started (`completedLeases`). Here a child exists that no worker has ever taken, and its
 * parent has no row. The last records of the parent may be unread, so the child waits until the leader has
 * created the parent's row again (seed 931601). For shards opened before the application began, nothing is
 * known.
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
 * The number of shards that a cap formula is given. Open shards are the leases without children. While the
 * parents of a merge drain, there are more runnable leases than open shards. The larger number is used, so
 * that the formula never leaves a parent unread that its child waits for.
 */
export function shardCount(table: LeaseTable, { runnable, blocked, ended }: Lineage): number {
  const parents = new Set<string>();
  for (const lease of table.values()) for (const parent of lease.parentShardIds) parents.add(parent);
  const isLeaf = (lease: Lease) => !parents.has(lease.leaseKey);
  const leaves = runnable.filter(isLeaf).length + blocked.filter(isLeaf).length + ended.filter(isLeaf).length;
  return Math.max(leaves - ended.filter(isLeaf).length, runnable.length);
}
