/**
 * Which worker should read which shard. The plan is a pure function of the rows, so every worker computes the
 * same plan, and the owner of a lease knows the recipient.
 *
 * Properties (test/unit/core/plan.test.ts checks each of them on generated fleets):
 * - complete: every runnable lease has a target, unless the caps leave no room.
 * - balanced: max − min ≤ 1 over the workers that the caps and stealing allow, from any start. Lease counts
 *   decide.
 * - even: among plans with the same number of moves, the leases are chosen so that the hash-range widths of
 *   the donors even out, and, as far as that allows, those of the recipients.
 * - sticky: no more moves than balance needs.
 * - quiet: a balanced fleet gets an empty plan.
 * - deterministic: the same rows give the same plan, in whatever order they come.
 * - its own continuation: a worker that reads the rows while others carry out the plan computes exactly the
 *   rest of it, whichever part is done. The counts come from one north-west-corner assignment: donors and
 *   recipients in the order of their ids. When part of such an assignment is done, the north-west-corner
 *   assignment of the remaining counts is the remaining part.
 * - capped: no worker is given a lease above its cap. A lease that is held is never taken away to become
 *   unowned.
 *
 * Blocked children and ended leases are not load (KCL issue #1247: counting closed parents unbalances a
 * fleet).
 */

import { evenTargets } from "./even-targets.ts";
import { type HashRange, width } from "./hash-range.ts";
import { actualOwner, type Lease } from "./lease.ts";
import { PriorityQueue } from "./priority-queue.ts";

export interface PlanWorker {
  readonly workerId: string;
  /**
   * - active: takes and gives leases.
   * - leaving: gives all its leases, takes none.
   * - foreign: a non-member owner whose lease counters move (a Java worker). It gives leases; this plan gives
   *   it none.
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
  /** Only leases that change owner. */
  readonly moves: readonly Move[];
  /** Runnable leases that no worker has room for under the caps. */
  readonly spilled: readonly string[];
  /** Leases per active worker after every move. */
  readonly targets: ReadonlyMap<string, number>;
}

/**
 * @param runnable leases that may be read now (`lineage`)
 * @param workers the owners to plan with. The leases of any other owner are free to claim.
 */
export function planLeases(runnable: readonly Lease[], workers: readonly PlanWorker[]): LeasePlan {
  const inOrder = workers.toSorted((a, b) => (a.workerId < b.workerId ? -1 : 1));
  const owned = new Map<string, Lease[]>(inOrder.map((w) => [w.workerId, []]));
  const free: Lease[] = [];
  for (const lease of runnable.toSorted(byKey)) (owned.get(actualOwner(lease) ?? "") ?? free).push(lease);

  const staying = inOrder.filter((w) => w.role !== "leaving");
  const leaving = inOrder.filter((w) => w.role === "leaving").map((w) => owned.get(w.workerId)!);
  const targets = evenTargets(
    staying.map((w) => ({ ...w, owned: owned.get(w.workerId)!.length })),
    leaving.reduce((sum, leases) => sum + leases.length, free.length),
  );

  const shareOf = (lease: Lease) => share(lease, runnable.length);
  const widthOf = (leases: readonly Lease[]) => leases.reduce((sum, lease) => sum + shareOf(lease), 0);
  const ideal = widthOf(runnable) / Math.max(1, staying.length);
  const recipients: Recipient[] = [];
  const donors: { readonly leases: readonly Lease[]; readonly reason: MoveReason }[] = [];
  for (const { workerId, role } of inOrder) {
    const mine = owned.get(workerId)!;
    if (role === "leaving") {
      donors.push({ leases: mine, reason: "owner-leaving" });
      continue;
    }
    const target = targets.get(workerId)!;
    const given = surplus(mine, mine.length - target, ideal, shareOf);
    if (given.length > 0) donors.push({ leases: given, reason: "balance" });
    const underfilled = ideal - widthOf(mine) + widthOf(given);
    if (target > mine.length) recipients.push({ workerId, slots: target - mine.length, underfilled });
  }

  const moves: Move[] = [];
  const spilled: string[] = [];
  let next = 0;
  for (const { leases, reason } of donors) {
    // The next step of the north-west-corner assignment: as many slots of the next recipients as this donor
    // has leases.
    const step: Recipient[] = [];
    for (let left = leases.length; left > 0 && next < recipients.length; ) {
      const recipient = recipients[next]!;
      const slots = Math.min(left, recipient.slots);
      step.push({ ...recipient, slots, underfilled: (recipient.underfilled * slots) / recipient.slots });
      recipient.underfilled -= (recipient.underfilled * slots) / recipient.slots;
      recipient.slots -= slots;
      left -= slots;
      if (recipient.slots === 0) next += 1;
    }
    for (const { lease, to } of assignEvenly(leases, step, shareOf)) {
      if (to !== undefined) moves.push({ leaseKey: lease.leaseKey, from: actualOwner(lease), to, reason });
      else if (reason !== "balance") spilled.push(lease.leaseKey);
    }
  }
  // Unowned leases come last: a held lease is moved before an unowned one is spilled.
  for (const { lease, to } of assignEvenly(free, recipients.slice(next), shareOf)) {
    const from = actualOwner(lease);
    const reason = from === undefined ? "unowned" : "owner-gone";
    if (to === undefined) spilled.push(lease.leaseKey);
    else moves.push({ leaseKey: lease.leaseKey, from, to, reason });
  }
  const active = staying.filter((w) => w.role === "active");
  return { moves, spilled, targets: new Map(active.map((w) => [w.workerId, targets.get(w.workerId)!])) };
}

interface Recipient {
  readonly workerId: string;
  slots: number;
  /** The width that it lacks for an even share of the key space. Negative: it has more than that. */
  underfilled: number;
}

/** The `excess` leases whose removal brings their owner closest to its even share. */
function surplus(
  mine: readonly Lease[],
  excess: number,
  ideal: number,
  shareOf: (lease: Lease) => number,
): Lease[] {
  const kept = [...mine];
  const given: Lease[] = [];
  let held = excess > 0 ? kept.reduce((sum, lease) => sum + shareOf(lease), 0) : 0;
  for (let left = excess; left > 0; left--) {
    const lease = closestToWidth(kept, (held - ideal) / left, shareOf);
    kept.splice(kept.indexOf(lease), 1);
    held -= shareOf(lease);
    given.push(lease);
  }
  return given;
}

/**
 * Each lease, widest first, goes to the recipient that lacks the most width per free slot. `to` is undefined
 * when no slot is left.
 */
function assignEvenly(
  leases: readonly Lease[],
  recipients: readonly Recipient[],
  shareOf: (lease: Lease) => number,
): { readonly lease: Lease; readonly to: string | undefined }[] {
  const waiting = new PriorityQueue<Recipient & { readonly perSlot: number }>(
    (a, b) => b.perSlot - a.perSlot || (a.workerId < b.workerId ? -1 : 1),
  );
  const queue = (recipient: Recipient) =>
    waiting.push({ ...recipient, perSlot: recipient.underfilled / recipient.slots });
  for (const recipient of recipients) if (recipient.slots > 0) queue(recipient);
  const widestFirst = leases.toSorted((a, b) => shareOf(b) - shareOf(a) || byKey(a, b));
  return widestFirst.map((lease) => {
    const recipient = waiting.pop();
    if (recipient === undefined) return { lease, to: undefined };
    const { workerId, slots, underfilled } = recipient;
    if (slots > 1) queue({ workerId, slots: slots - 1, underfilled: underfilled - shareOf(lease) });
    return { lease, to: workerId };
  });
}

const byKey = (a: Lease, b: Lease) => (a.leaseKey < b.leaseKey ? -1 : a.leaseKey > b.leaseKey ? 1 : 0);

/**
 * A lease's part of the key space, in whole units of 2^-40. Sums are exact, and the shards of an evenly cut
 * stream compare as equal; with fractions, the last bit would decide the plan. A lease without a hash range
 * counts as average.
 */
const share = (lease: Lease, count: number): number =>
  lease.hashRange ? shareOfRange(lease.hashRange) : Math.round(2 ** SHARE_BITS / count);
const SHARE_BITS = 40;
const shares = new WeakMap<HashRange, number>();
function shareOfRange(range: HashRange): number {
  let known = shares.get(range);
  if (known === undefined) {
    known = Number(width(range) >> BigInt(128 - SHARE_BITS));
    shares.set(range, known);
  }
  return known;
}

/** `candidates` are in key order, so that every worker breaks ties alike. */
function closestToWidth(
  candidates: readonly Lease[],
  wanted: number,
  shareOf: (lease: Lease) => number,
): Lease {
  let best = candidates[0]!;
  for (const lease of candidates) {
    if (Math.abs(shareOf(lease) - wanted) < Math.abs(shareOf(best) - wanted)) best = lease;
  }
  return best;
}
