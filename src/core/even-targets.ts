/**
 * How many leases each worker should hold: the evenest counts that the caps and the workers that do not steal
 * allow. Water filling: one level rises for all. A worker stops at its ceiling and never falls below its
 * floor.
 */
export interface TargetWorker {
  readonly workerId: string;
  readonly role: "active" | "leaving" | "foreign";
  readonly maxLeases: number | undefined;
  readonly steals: boolean;
  readonly owned: number;
}

/**
 * @param workers in the order that breaks ties (by id)
 * @param pool leases that need an owner
 * @returns a count for each worker; their sum never exceeds the number of leases
 */
export function evenTargets(workers: readonly TargetWorker[], pool: number): Map<string, number> {
  const anyoneSteals = workers.some((w) => w.role === "active" && w.steals);
  // A worker that does not steal is not stolen from either (the meaning of EnableLeaseStealing in
  // vmware-go-kcl).
  const pinned = (w: TargetWorker) => (w.role === "foreign" ? !anyoneSteals : !w.steals);
  const cap = (w: TargetWorker) => w.maxLeases ?? Number.POSITIVE_INFINITY;
  const total = workers.reduce((sum, w) => sum + w.owned, 0) + pool;
  const level = Math.ceil(total / Math.max(1, workers.length));
  const bounds = workers.map((w) => ({
    worker: w,
    floor: pinned(w) ? w.owned : 0,
    // A non-member owner is given no leases. A cap limits only what a worker takes. Leases that it holds
    // above its cap, and within the even level, are not moved to others. Otherwise caps published a moment
    // apart would move leases back and forth.
    ceiling:
      w.role === "foreign" ? w.owned : Math.max(cap(w), pinned(w) ? w.owned : Math.min(w.owned, level)),
  }));

  // Pinned workers can grow only from the pool. If the even level asks for more than the pool has, they share
  // the pool.
  const pinnedOnes = bounds.filter((b) => pinned(b.worker));
  let counts = fill(bounds, total);
  const growth = pinnedOnes.reduce((sum, b) => sum + counts.get(b.worker.workerId)! - b.worker.owned, 0);
  if (growth > pool) {
    const shared = fill(pinnedOnes, pinnedOnes.reduce((sum, b) => sum + b.worker.owned, 0) + pool);
    const fixed = bounds.map((b) => {
      const count = shared.get(b.worker.workerId);
      return count === undefined ? b : { ...b, floor: count, ceiling: count };
    });
    counts = fill(fixed, total);
  }

  // Leases above a cap that fit nowhere else stay with their owner: unread is worse than above the cap.
  // Pinned workers are no place for them, because they grow from the pool.
  const unpinned = workers.filter((w) => !pinned(w));
  let unplaced = unpinned.reduce((sum, w) => sum + w.owned - counts.get(w.workerId)!, 0);
  for (const w of unpinned) {
    const stays = Math.max(0, Math.min(unplaced, w.owned - counts.get(w.workerId)!));
    counts.set(w.workerId, counts.get(w.workerId)! + stays);
    unplaced -= stays;
  }
  return counts;
}

interface Bound {
  readonly worker: TargetWorker;
  readonly floor: number;
  readonly ceiling: number;
}

/**
 * The evenest counts between floors and ceilings that add up to `total`, or come as near as the bounds allow.
 */
function fill(bounds: readonly Bound[], total: number): Map<string, number> {
  const at = (level: number, b: Bound) => Math.min(Math.max(level, b.floor), b.ceiling);
  const sumAt = (level: number) => bounds.reduce((sum, b) => sum + at(level, b), 0);
  let low = 0;
  let high = total;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (sumAt(middle) <= total) low = middle;
    else high = middle - 1;
  }
  const counts = new Map(bounds.map((b) => [b.worker.workerId, at(low, b)]));
  let left = total - sumAt(low);
  // The remainder goes first to workers that already hold more than the level (no move), then by id.
  const willing = bounds.filter((b) => at(low + 1, b) > at(low, b));
  const stickyFirst = willing.toSorted((a, b) => Number(b.worker.owned > low) - Number(a.worker.owned > low));
  for (const b of stickyFirst) {
    if (left <= 0) break;
    counts.set(b.worker.workerId, at(low, b) + 1);
    left -= 1;
  }
  return counts;
}
