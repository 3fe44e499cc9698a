/**
 * The decisions of one worker after one poll of the fleet. `decide` is pure: facts in, decisions with reasons
 * out. The engine carries the decisions out and calls it again with new facts. The simulator, the scenario
 * transcripts and the engine all run this same code.
 */
import { assignmentsOf, type PlannedMove } from "./assignments.ts";
import type { Facts } from "./facts.ts";
import { actualOwner, isEnded, type Lease } from "./lease.ts";
import { type Lineage, lineage, shardCount } from "./lineage.ts";
import type { Assignment, FleetSize, Member } from "./member.ts";
import type { MoveReason } from "./plan.ts";
import { type FleetPlan, isLeft, planFleet } from "./plan-fleet.ts";
import { untakenKey } from "./untaken.ts";

export interface UntakenLease {
  readonly lease: Lease;
  /**
   * The planned new owner. Undefined: a joiner, which takes the lease once it is active. If that takes too
   * long, another worker takes it (seed 985312).
   */
  readonly taker: string | undefined;
}

export interface Claim {
  readonly lease: Lease;
  readonly reason: MoveReason | "received" | "untaken";
}

export interface Decisions {
  /**
   * Leases to take: unowned, of a dead worker, handed over to this worker, not taken by another worker, or
   * held by a non-member owner above its even share.
   */
  readonly claim: readonly Claim[];
  /** Runnable leases that no worker has taken up yet. */
  readonly untaken: readonly UntakenLease[];
  /** Drain, then make `to` the owner. */
  readonly handOver: readonly {
    readonly leaseKey: string;
    readonly to: string;
    readonly reason: MoveReason;
  }[];
  /** This worker is leaving, and no worker can take the lease. */
  readonly release: readonly { readonly leaseKey: string }[];
  /** The row has another owner: stop reading at once. */
  readonly stop: readonly { readonly leaseKey: string; readonly reason: string }[];
  readonly markDead: readonly Member[];
  /** Dead members that own no lease any more. The leader removes their entries. */
  readonly remove: readonly Member[];
  /** Members that are limited to one lease because workers before them died young. */
  readonly onTrial: readonly Member[];
  /** What the other workers are to do, in a fleet where the leader assigns. */
  readonly assignments: readonly Assignment[];
  /** The fleet size that the cap was computed from. */
  readonly size: FleetSize;
  /**
   * The planned new owner of each lease that moves. A hand-over in flight reads it again at its end, because
   * the plan may have changed meanwhile.
   */
  readonly targetOf: ReadonlyMap<string, string>;
  readonly leads: boolean;
  readonly cap: number | undefined;
  /** The fleet is still changing: poll often. */
  readonly changing: boolean;
  readonly fleet: FleetSummary;
}

/** The leader publishes it as metrics; every worker shows it in its status. */
export interface FleetSummary {
  readonly workers: number;
  readonly runnable: number;
  readonly blocked: number;
  readonly ended: number;
  /** Runnable leases that no living worker owns. */
  readonly unowned: number;
  /** Of the unowned leases, those that the caps leave no room for. */
  readonly spilled: number;
  /** Largest minus smallest number of runnable leases over the active members. */
  readonly imbalance: number;
}

export function decide(facts: Facts): Decisions {
  const { self, table, leads } = facts;
  const lines = lineage(table, new Set([...facts.unreadable, ...facts.missing]));
  const alive = facts.members.filter((m) => m.state !== "dead");
  const aliveById = new Map(alive.map((m) => [m.workerId, m]));
  const plan = planFleet(facts, lines.runnable, aliveById);
  // A worker that does not take its share leaves it to the others. A cap computed with that worker would
  // leave shards unread.
  const takes = ({ workerId }: Member) =>
    !facts.stuckJoiners.has(workerId) && !facts.passedOver.has(workerId) && !plan.onTrial.has(workerId);
  const staying = alive.filter((m) => m.state !== "leaving" && takes(m)).length;
  const size = { shards: shardCount(table, lines), workers: Math.max(1, staying + plan.nonMemberOwners) };
  const cap = facts.computeCap(size);

  const moves = movesOf(facts, plan, { aliveById, cap });
  const received = receivedLeases(facts, lines.runnable);
  const untaken = [...moves.untaken, ...pendingForOthers(facts, lines.runnable)];
  const claims = [...moves.claim, ...received];
  return {
    claim: [...claims, ...rescues(facts, untaken, claims)],
    untaken,
    handOver: moves.handOver,
    release: releases(facts, plan.spilled),
    stop: lostLeases(facts),
    markDead: membersToMarkDead(facts),
    remove: leads ? deadWithoutLeases(facts) : [],
    onTrial: alive.filter((m) => plan.onTrial.has(m.workerId)),
    assignments: assignmentsOf(moves.toMove, lines.runnable, {
      self: self.workerId,
      isAlive: (id) => aliveById.has(id),
      underfilled: facts.underfilled,
    }),
    size,
    targetOf: moves.targetOf,
    leads,
    cap,
    changing:
      plan.moves.length > 0 ||
      alive.some((m) => facts.expiredMembers.has(m.workerId)) ||
      alive.some((m) => m.state === "joining" || m.state === "leaving"),
    fleet: summaryOf(facts, { lines, alive, plan, untaken }),
  };
}

interface Moves {
  readonly claim: readonly Claim[];
  readonly untaken: readonly UntakenLease[];
  readonly handOver: Decisions["handOver"];
  readonly toMove: readonly PlannedMove[];
  readonly targetOf: ReadonlyMap<string, string>;
}

/** What this worker does about each move of the plan. */
function movesOf(
  facts: Facts,
  plan: FleetPlan,
  { aliveById, cap }: { readonly aliveById: ReadonlyMap<string, Member>; readonly cap: number | undefined },
): Moves {
  const { self, table, held } = facts;
  const mayAct = self.state !== "joining";
  // The other workers plan with the cap that this worker has published. It claims nothing until that is its
  // current cap.
  const mayTake = mayAct && cap === self.maxLeases;
  const claim: Claim[] = [];
  const untaken: UntakenLease[] = [];
  const handOver: Decisions["handOver"][number][] = [];
  const toMove: PlannedMove[] = [];
  const targetOf = new Map<string, string>();
  for (const [leaseKey, { to }] of held)
    if (to !== undefined && aliveById.get(to)?.state === "active") targetOf.set(leaseKey, to);
  for (const { leaseKey, to, from, reason } of plan.moves) {
    targetOf.delete(leaseKey);
    const lease = table.get(leaseKey)!;
    const isHeld = held.has(leaseKey);
    const isMine = to === self.workerId;
    const isFree = reason === "unowned" || reason === "owner-gone";
    // The plan counts a joiner, but it gets its leases only once it is active. If the plan left it out, the
    // first joiner to become active would get the share of the others too.
    if (aliveById.get(to)?.state === "joining") {
      if (mayAct && isFree && !isHeld) untaken.push({ lease, taker: undefined });
      continue;
    }
    if (!isMine || !isHeld) targetOf.set(leaseKey, to);
    if (!mayAct) continue;
    const holder = from === undefined ? undefined : aliveById.get(from);
    const isSteal = plan.isNonMembers(lease) && !facts.expiredLeases.has(leaseKey);
    const mayMove = !isSteal || facts.observedLeases.has(leaseKey);
    if (mayMove) toMove.push({ lease, holder: holder?.workerId, to });
    const mayBeUntaken = (!isMine || facts.assigns) && !isLeft(facts, lease);
    if (isFree && mayBeUntaken && !isHeld) untaken.push({ lease, taker: to });
    if (from === self.workerId) {
      if (held.get(leaseKey)?.phase === "reading") handOver.push({ leaseKey, to, reason });
    } else if (mayTake && mayMove && isMine && holder === undefined && !isHeld) {
      claim.push({ lease, reason });
    }
  }
  return { claim, untaken, handOver, toMove, targetOf };
}

/**
 * Leases that the rows give to this worker and that it does not read: the old owner handed them over, or this
 * worker was restarted under the same id.
 */
function receivedLeases({ self, held }: Facts, runnable: readonly Lease[]): Claim[] {
  if (self.state === "joining") return [];
  return runnable
    .filter((lease) => actualOwner(lease) === self.workerId && !held.has(lease.leaseKey))
    .filter((lease) => lease.checkpointOwner === undefined)
    .map((lease) => ({ lease, reason: "received" }));
}

/** Leases that were handed over and that the new owner has not taken up yet. */
function pendingForOthers({ self, held, assigns }: Facts, runnable: readonly Lease[]): UntakenLease[] {
  return runnable.flatMap((lease) => {
    const owner = actualOwner(lease);
    if (lease.isPending !== true || owner === undefined) return [];
    const isUntaken = owner !== self.workerId || (assigns && !held.has(lease.leaseKey));
    return isUntaken ? [{ lease, taker: owner }] : [];
  });
}

/** Overdue leases of other workers that this worker has room for. */
function rescues(
  { self, held, overdue }: Facts,
  untaken: readonly UntakenLease[],
  claims: readonly Claim[],
): Claim[] {
  if (self.state !== "active") return [];
  const claimed = new Set(claims.map(({ lease }) => lease.leaseKey));
  const room = (self.maxLeases ?? Number.POSITIVE_INFINITY) - held.size - claims.length;
  const found: Claim[] = [];
  for (const { lease, taker } of untaken) {
    if (found.length >= room || taker === self.workerId || !overdue.has(untakenKey(lease))) continue;
    if (claimed.has(lease.leaseKey)) continue;
    claimed.add(lease.leaseKey);
    found.push({ lease, reason: "untaken" });
  }
  return found;
}

/** Leases that a leaver releases, because no other worker has room for them. */
function releases({ self, held, mayRelease }: Facts, spilled: readonly string[]): Decisions["release"] {
  if (self.state !== "leaving" || !mayRelease) return [];
  const keys = new Set(spilled);
  return [...held].flatMap(([leaseKey, { phase }]) =>
    phase === "reading" && keys.has(leaseKey) ? [{ leaseKey }] : [],
  );
}

/** Leases that this worker holds, and whose rows say that it has lost them. */
function lostLeases({ self, table, held, unreadable }: Facts): Decisions["stop"] {
  const stop: { leaseKey: string; reason: string }[] = [];
  for (const [leaseKey, mine] of held) {
    const row = table.get(leaseKey);
    if (unreadable.has(leaseKey)) continue;
    if (row === undefined) stop.push({ leaseKey, reason: "the lease row is gone" });
    // Every write increments the counter. A lower counter means that the row was removed and created again
    // (seed 1208154).
    else if (row.counter < mine.counter) stop.push({ leaseKey, reason: "the lease row was set back" });
    else if (row.counter > mine.counter && actualOwner(row) !== self.workerId)
      stop.push({ leaseKey, reason: `the row says ${actualOwner(row) ?? "nobody"} owns it` });
  }
  return stop;
}

function deadWithoutLeases({ members, table, evidence }: Facts): readonly Member[] {
  const owners = new Set<string>();
  for (const lease of table.values())
    if (!isEnded(lease)) for (const id of [lease.owner, lease.checkpointOwner]) if (id) owners.add(id);
  return members.filter(
    ({ workerId, state }) => state === "dead" && !owners.has(workerId) && workerId !== evidence,
  );
}

function summaryOf(
  facts: Facts,
  {
    lines,
    alive,
    plan,
    untaken,
  }: {
    readonly lines: Lineage;
    readonly alive: readonly Member[];
    readonly plan: FleetPlan;
    readonly untaken: readonly UntakenLease[];
  },
): FleetSummary {
  const unowned = plan.moves.filter((m) => m.reason === "unowned" || m.reason === "owner-gone");
  // Handed over, and not taken up by the new owner for too long.
  const overdue = untaken.filter(
    ({ lease }) => lease.isPending === true && facts.overdue.has(untakenKey(lease)),
  );
  const unread = facts.unreadable.size + facts.missing.size;
  return {
    workers: alive.length,
    runnable: lines.runnable.length,
    blocked: lines.blocked.length,
    ended: lines.ended.length,
    unowned: unowned.length + plan.spilled.length + unread + overdue.length,
    spilled: plan.spilled.length,
    imbalance: imbalance(lines.runnable, alive),
  };
}

/** Needs only the fleet rows: a worker that has not read the lease table marks members dead too. */
export const membersToMarkDead = ({ members, self, expiredMembers }: Facts): readonly Member[] =>
  members.filter(
    ({ workerId, state }) => state !== "dead" && workerId !== self.workerId && expiredMembers.has(workerId),
  );

function imbalance(runnable: readonly Lease[], alive: readonly Member[]): number {
  const counts = new Map(alive.filter((m) => m.state === "active").map((m) => [m.workerId, 0]));
  for (const lease of runnable) {
    const owner = actualOwner(lease);
    if (owner !== undefined && counts.has(owner)) counts.set(owner, counts.get(owner)! + 1);
  }
  return counts.size === 0 ? 0 : Math.max(...counts.values()) - Math.min(...counts.values());
}
