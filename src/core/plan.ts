/**
 * Who should read which shard. A pure function of the rows, so that every worker computes the same plan and the
 * old owner of a lease knows whom to give it to.
 *
 * Properties (test/unit/core/plan.test.ts proves each on generated fleets):
 * - complete: every runnable lease has a target, unless the caps leave no room;
 * - balanced: max − min ≤ 1 over the workers the caps and stealing allow, from any start. Counts decide;
 * - even: among plans with the same moves, leases are chosen so that the hash-range width of each giver, and as far as
 *   that goes of each receiver, evens out;
 * - sticky: no more moves than balance needs;
 * - quiet: a balanced fleet gets an empty plan;
 * - deterministic: same rows, same plan, whatever their order;
 * - its own continuation: whoever reads the rows while others carry the plan out, and sees any part of it done, plans
 *   just the rest. Who gives how many to whom is one staircase through givers and receivers in the order of their ids,
 *   and what is left of a staircase when some of it is done is the staircase of what is left;
 * - capped: nobody is *given* a lease above its cap. A lease already held is never taken away to lie unowned.
 *
 * Blocked children and ended leases are not load (KCL issue #1247: counting closed parents makes a fleet lopsided).
 */

import { evenTargets } from "./even-targets.ts";
import { type HashRange, width } from "./hash-range.ts";
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
    // The next step of the staircase: as many slots, of the next receivers, as this giver has leases.
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
  // What nobody holds comes last: a held lease is moved before a free one is spilled.
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
  /** Width that it lacks for an even share of the key space; below 0: it has too much. */
  underfilled: number;
}

/** The `excess` leases that bring their owner nearest to its even share when they are gone. */
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

/** The widest lease goes to whoever lacks the most width per free slot. Without a slot left: to nobody. */
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
 * Part of the key space in whole 2^-40ths: sums are exact, and shards of a stream cut evenly compare as equal, or who
 * gets which would hang on the last bit. A lease that does not say counts as average.
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

/** `candidates` are in key order, so that ties fall the same way everywhere. */
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
