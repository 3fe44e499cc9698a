/**
 * Compares the stream with the lease table: which lease rows are missing, and which are no longer needed.
 *
 * The order of creation matters. A child whose parent has no row is runnable at once (L3). So parents come
 * first in the result, and the engine creates one shard generation after the other.
 */

import { type Application, descendantStartOf, isOpenedSince, type Start, startOf } from "./application.ts";
import { type HashRange, holes } from "./hash-range.ts";
import { isEnded, isSentinel, isUntouched, LATEST, type Lease, SHARD_END, sentinel } from "./lease.ts";
import { type LeaseTable, missingParents } from "./lineage.ts";
import type { Shard } from "./shard.ts";

/**
 * @returns shard generations of leases to create, parents first. Empty when nothing is missing.
 *
 * A shard without a row gets one, unless a descendant's row proves that the shard was completed and its row
 * cleaned up. A descendant's row proves it only if it was made after the shard's end.
 *
 * The lease begins where the application began. That position was decided once, so it does not matter which
 * worker creates the row, or when. A shard opened later begins at its first record: nothing written before it
 * was listed is skipped. Under LATEST, a shard that was closed before the application began gets no lease: it
 * has no record to read.
 *
 * A parent without a row that should have one (`missingParents`) blocks its child. If the stream no longer
 * lists that parent, it gets an ended row, which unblocks the child.
 */
export function missingLeases(
  shards: readonly Shard[],
  table: LeaseTable,
  application: Application,
): Lease[][] {
  const byId = new Map(shards.map((s) => [s.shardId, s]));
  const children = childrenOf(shards, ({ shardId }) => shardId);
  const isOpenedLater = (shard: Shard) =>
    isOpenedSince(application, shard.shardId) ?? hasLeasedAncestor(shard, byId, table);
  const isPassedOver = (shard: Shard) =>
    application.initialPosition === LATEST &&
    wasClosedBefore(shard, children, application) &&
    !hasLeasedAncestor(shard, byId, table);
  const wanted = shards.filter(
    (shard) =>
      !table.has(shard.shardId) &&
      !hasLeasedDescendant(shard.shardId, children, table, application) &&
      !isPassedOver(shard),
  );
  const generationOf = generations(wanted, byId);
  const levels: Lease[][] = [];
  const rows = new Map(table);
  for (const shard of wanted) {
    const start = isOpenedLater(shard) ? descendantStartOf(application) : startOf(application);
    const generation = generationOf.get(shard.shardId)!;
    const lease = newLease(shard, start);
    levels[generation] = [...(levels[generation] ?? []), lease];
    rows.set(lease.leaseKey, lease);
  }
  return [endedParents(rows, application), ...levels].filter(
    (level) => level !== undefined && level.length > 0,
  );
}

/** Ended rows for parents that can no longer be read. They are cleaned up like any other ended lease. */
function endedParents(rows: LeaseTable, application: Application): Lease[] {
  const missing = missingParents(rows, application);
  if (missing.size === 0) return [];
  const children = childLeasesOf(rows);
  return [...missing].map((parent) => {
    const row = newLease({ shardId: parent, parentShardIds: [] }, { checkpoint: sentinel(SHARD_END) });
    return { ...row, childShardIds: children.get(parent) ?? [] };
  });
}

/** The row of a child, as the reader of its parent creates it at the parent's end. */
export const childLease = (shard: Shard, application: Application): Lease =>
  newLease(shard, descendantStartOf(application));

function newLease(shard: Pick<Shard, "shardId" | "parentShardIds"> & Partial<Shard>, start: Start): Lease {
  return {
    leaseKey: shard.shardId,
    owner: undefined,
    counter: 0,
    ...start,
    ownerSwitchesSinceCheckpoint: 0,
    parentShardIds: shard.parentShardIds,
    childShardIds: [],
    hashRange: shard.hashRange,
    checkpointOwner: undefined,
  };
}

/**
 * The shard was closed before the application began: its children already existed then. Where that is not
 * known, a closed shard counts as closed before.
 */
function wasClosedBefore(
  { shardId, closed }: Shard,
  children: ReadonlyMap<string, string[]>,
  application: Application,
): boolean {
  return closed && (children.get(shardId) ?? []).every((child) => isOpenedSince(application, child) !== true);
}

/** By parent: the keys of the items that name it. */
function childrenOf<T extends Pick<Shard, "parentShardIds">>(
  items: Iterable<T>,
  keyOf: (item: T) => string,
): Map<string, string[]> {
  const children = new Map<string, string[]>();
  for (const item of items) {
    for (const parent of item.parentShardIds) {
      const known = children.get(parent);
      if (known) known.push(keyOf(item));
      else children.set(parent, [keyOf(item)]);
    }
  }
  return children;
}

const childLeasesOf = (table: LeaseTable): Map<string, string[]> =>
  childrenOf(table.values(), ({ leaseKey }) => leaseKey);

function hasLeasedDescendant(
  shardId: string,
  children: ReadonlyMap<string, string[]>,
  table: LeaseTable,
  application: Application,
): boolean {
  const pending = [...(children.get(shardId) ?? [])];
  const seen = new Set<string>();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const row = table.get(next);
    // Rows of children can be created while their parents are still read. A row that no worker has taken
    // proves nothing.
    if (row && !(isUntouched(row) && isOpenedSince(application, next) === true)) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    pending.push(...(children.get(next) ?? []));
  }
  return false;
}

function hasLeasedAncestor(shard: Shard, byId: ReadonlyMap<string, Shard>, table: LeaseTable): boolean {
  const pending = [...shard.parentShardIds];
  const seen = new Set<string>();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (table.has(next)) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    pending.push(...(byId.get(next)?.parentShardIds ?? []));
  }
  return false;
}

/**
 * The shard generation: 0 for shards without a parent among `shards`, else one more than the latest parent's.
 * A reshard creates children after parents, so the walk ends.
 */
function generations(shards: readonly Shard[], byId: ReadonlyMap<string, Shard>): Map<string, number> {
  const wanted = new Set(shards.map((s) => s.shardId));
  const known = new Map<string, number>();
  const depth = (shardId: string, guard: number): number => {
    const cached = known.get(shardId);
    if (cached !== undefined) return cached;
    const parents = byId.get(shardId)?.parentShardIds.filter((p) => wanted.has(p)) ?? [];
    const found =
      parents.length === 0 || guard === 0 ? 0 : 1 + Math.max(...parents.map((p) => depth(p, guard - 1)));
    known.set(shardId, found);
    return found;
  };
  // A stream keeps at most the shard generations of one retention period. The guard bounds the walk on
  // invalid input.
  for (const { shardId } of shards) depth(shardId, 64);
  return known;
}

/**
 * Ended leases whose children have all started (or ended) and whose parents' rows are gone (KCL:
 * `LeaseCleanupManager`). A lease without known children is kept until they are known.
 *
 * @param started "may-have-started": also leases whose children may have started since these rows were read.
 *   Use it to decide whether to read the rows again.
 */
export function completedLeases(
  table: LeaseTable,
  started: "have-started" | "may-have-started" = "have-started",
): Lease[] {
  const named = childLeasesOf(table);
  return [...table.values()].filter((lease) => {
    if (!isEnded(lease) || lease.parentShardIds.some((p) => table.has(p))) return false;
    const children = new Set([...lease.childShardIds, ...(named.get(lease.leaseKey) ?? [])]);
    if (children.size === 0) return false;
    return started === "may-have-started" || [...children].every((child) => hasStarted(table.get(child)));
  });
}

/** A child without a row has not started: the row of a child is removed only after its parent's row. */
const hasStarted = (child: Lease | undefined): boolean =>
  child !== undefined && (isEnded(child) || !isSentinel(child.checkpoint));

/** Parts of the key space that no unfinished lease covers, although the stream has shards there. */
export function uncovered(shards: readonly Shard[], table: LeaseTable): HashRange[] {
  const ranges = [...table.values()]
    .filter((l) => !isEnded(l))
    .flatMap((l) => (l.hashRange ? [l.hashRange] : []));
  const known = [...table.values()].some((l) => !isEnded(l) && l.hashRange === undefined);
  return known || shards.length === 0 ? [] : holes(ranges);
}
