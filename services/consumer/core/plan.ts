/**
 * Who should read which shard. A pure function of the rows, so that every worker computes the same plan and the
 * old owner of a lease knows whom to give it to.
 *
 * Properties (test/unit/core/plan.test.ts proves each on generated fleets):
 * - complete: every runnable lease has a target, unless the caps leave no room;
 * - balanced: max − min ≤ 1 over the workers the caps and stealing allow, from any start. Counts decide;
 * - even: among plans with the same moves, leases are chosen so that the hash-range width of each worker evens out;
 * - sticky: no more moves than balance needs;
 * - quiet: a balanced fleet gets an empty plan;
 * - deterministic: same rows, same plan, whatever their order;
 * - capped: nobody is *given* a lease above its cap. A lease already held is never taken away to lie unowned.
 *
 * Blocked children and ended leases are not load (KCL issue #1247: counting closed parents makes a fleet lopsided).
 */
import { type HashRange, width } from "../../shared/hash-range.ts";
import { evenTargets } from "./even-targets.ts";
import { actualOwner, type Lease } from "./lease.ts";
import { PriorityQueue } from "./priority-queue.ts";

export interface PlanWorker {
  readonly workerId: string;
  /**
   * - active: gets and gives;
   * - leaving: gives everything, gets nothing;
   * - foreign: an owner without membership whose leases move their counters (a Java worker): it gives, and gets nothing from us.
   */
  readonly role: "active" | "leaving" | "foreign";
  readonly maxLeases: number | undefined;
  readonly steals: boolean;
}

export type MoveReason =
  | "unowned"
  | "owner-gone" // its owner is dead, expired or no longer a member
  | "owner-leaving"
  | "balance";

export interface Move {
  readonly leaseKey: string;
  readonly from: string | undefined;
  readonly to: string;
  readonly reason: MoveReason;
}

export interface LeasePlan {
  /** Only leases that change hands. */
  readonly moves: readonly Move[];
  /** Runnable leases nobody has room for under the caps. */
  readonly spilled: readonly string[];
  /** Leases per active worker once every move is done. */
  readonly targets: ReadonlyMap<string, number>;
}

/**
 * @param runnable leases that may be read now (`lineage`)
 * @param workers  owners to plan with; the leases of any owner not among them are free to claim
 */
export function planLeases(runnable: readonly Lease[], workers: readonly PlanWorker[]): LeasePlan {
  const byId = new Map(workers.map((w) => [w.workerId, w]));
  const owned = new Map<string, Lease[]>(workers.map((w) => [w.workerId, []]));
  const pool: { lease: Lease; reason: MoveReason }[] = [];
  for (const lease of runnable.toSorted(byKey)) {
    const owner = actualOwner(lease);
    const worker = owner === undefined ? undefined : byId.get(owner);
    if (worker === undefined) pool.push({ lease, reason: owner === undefined ? "unowned" : "owner-gone" });
    else if (worker.role === "leaving") pool.push({ lease, reason: "owner-leaving" });
    else owned.get(worker.workerId)!.push(lease);
  }

  const sorted = workers
    .filter((w) => w.role !== "leaving")
    .toSorted((a, b) => (a.workerId < b.workerId ? -1 : 1));
  const targets = evenTargets(
    sorted.map((w) => ({ ...w, owned: owned.get(w.workerId)!.length })),
    pool.length,
  );

  const totalWidth = runnable.reduce((sum, lease) => sum + share(lease, runnable.length), 0);
  const idealWidth = totalWidth / Math.max(1, sorted.length);
  const load = new Map<string, number>();
  for (const { workerId } of sorted) {
    const mine = owned.get(workerId)!;
    let held = mine.reduce((sum, lease) => sum + share(lease, runnable.length), 0);
    for (let excess = mine.length - targets.get(workerId)!; excess > 0; excess--) {
      const given = closestToWidth(mine, (held - idealWidth) / excess, runnable.length);
      mine.splice(mine.indexOf(given), 1);
      held -= share(given, runnable.length);
      pool.push({ lease: given, reason: "balance" });
    }
    load.set(workerId, held);
  }

  // The widest lease goes to whoever needs the most width per free slot.
  const need = (workerId: string, slots: number) => (idealWidth - load.get(workerId)!) / slots;
  const receivers = new PriorityQueue<{ workerId: string; slots: number; need: number }>(
    (a, b) => b.need - a.need || (a.workerId < b.workerId ? -1 : 1),
  );
  for (const { workerId } of sorted) {
    const slots = targets.get(workerId)! - owned.get(workerId)!.length;
    if (slots > 0) receivers.push({ workerId, slots, need: need(workerId, slots) });
  }
  const moves: Move[] = [];
  const spilled: string[] = [];
  const widestFirst = pool.toSorted(
    (a, b) =>
      // A held lease is moved before anything is spilled: what is spilled must be what nobody holds.
      Number(a.reason === "unowned" || a.reason === "owner-gone") -
        Number(b.reason === "unowned" || b.reason === "owner-gone") ||
      share(b.lease, runnable.length) - share(a.lease, runnable.length) ||
      byKey(a.lease, b.lease),
  );
  for (const { lease, reason } of widestFirst) {
    const receiver = receivers.pop();
    if (receiver === undefined) {
      if (reason !== "balance") spilled.push(lease.leaseKey);
      continue;
    }
    const { workerId, slots } = receiver;
    moves.push({ leaseKey: lease.leaseKey, from: actualOwner(lease), to: workerId, reason });
    load.set(workerId, load.get(workerId)! + share(lease, runnable.length));
    if (slots > 1) receivers.push({ workerId, slots: slots - 1, need: need(workerId, slots - 1) });
  }
  return {
    moves,
    spilled,
    targets: new Map(
      sorted.filter((w) => w.role === "active").map((w) => [w.workerId, targets.get(w.workerId)!]),
    ),
  };
}

const byKey = (a: Lease, b: Lease) => (a.leaseKey < b.leaseKey ? -1 : a.leaseKey > b.leaseKey ? 1 : 0);

/** Part of the key space, as a number: exact enough to compare loads. A lease that does not say counts as average. */
const share = (lease: Lease, count: number): number =>
  lease.hashRange ? shareOfRange(lease.hashRange) : 1 / count;
const shares = new WeakMap<HashRange, number>();
function shareOfRange(range: HashRange): number {
  let known = shares.get(range);
  if (known === undefined) {
    known = Number(width(range)) / 2 ** 128;
    shares.set(range, known);
  }
  return known;
}

/** `candidates` are in key order, so that ties fall the same way everywhere. */
function closestToWidth(candidates: readonly Lease[], wanted: number, count: number): Lease {
  let best = candidates[0]!;
  for (const lease of candidates) {
    if (Math.abs(share(lease, count) - wanted) < Math.abs(share(best, count) - wanted)) best = lease;
  }
  return best;
}
