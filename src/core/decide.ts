/**
 * One look at the fleet, one set of decisions: pure, so that the simulator, the scenario transcripts and the
 * engine all run the very same code. Facts in, decisions with reasons out; the engine performs them and comes
 * back with new facts.
 */
import { assignmentsOf, type PlannedMove } from "./assignments.ts";
import { actualOwner, isEnded, type Lease } from "./lease.ts";
import { type LeaseTable, lineage, shardCount } from "./lineage.ts";
import type { Assignment, FleetSize, Member } from "./member.ts";
import { type MoveReason, type PlanWorker, planLeases } from "./plan.ts";
import { isOnTrial, isProven } from "./trial.ts";
import { untakenKey } from "./untaken.ts";

export interface Facts {
  /** This worker, as it last wrote itself. */
  readonly self: Member;
  /** Every member of the fleet rows, this one included. */
  readonly members: readonly Member[];
  /** Members whose heartbeat has not moved for the failover time on my clock. They are declared dead in the rows first, and planned without once the rows say so: all plan from the same rows. */
  readonly expiredMembers: ReadonlySet<string>;
  readonly table: LeaseTable;
  /** Lease rows that are there and cannot be read: they block their children, and are not read by any worker. */
  readonly unreadable: ReadonlySet<string>;
  /** Parents whose rows were removed by another hand (`missingParents`): they block their children until the leader has made them anew. */
  readonly missing: ReadonlySet<string>;
  /** Leases whose owner is no member and whose own counter has not moved for the failover time. */
  readonly expiredLeases: ReadonlySet<string>;
  /** Leases whose owner is no member, and that I have watched for a failover time: old enough to be stolen from a living foreign owner. */
  readonly observedLeases: ReadonlySet<string>;
  /** Leases (`untakenKey`) that others were to take and have not: this worker takes them, where it has room. */
  readonly overdue: ReadonlySet<string>;
  /** Workers that did not take what was theirs: planned with what they have, and no more. */
  readonly passedOver: ReadonlySet<string>;
  /** Workers that have been joining for too long: not planned with. */
  readonly stuckJoiners: ReadonlySet<string>;
  /** The dead member whose entry is to stay for a while although it owns nothing any more: it died young. */
  readonly evidence: string | undefined;
  /** Leases this worker reads, is about to give away, or has asked for. */
  readonly held: ReadonlyMap<string, HeldLeaseFacts>;
  /** This worker leads (`leaders.ts`). */
  readonly leads: boolean;
  /** The others do what the plan of this worker, the leader or its deputy, says: also what it does not take itself is untaken. */
  readonly assigns: boolean;
  /** Workers that hold fewer leases than the rows give them, for longer than a claim takes: they are assigned them all again. */
  readonly underfilled: ReadonlySet<string>;
  /** Leaving, and the others had time to raise their caps: what nobody has room for may be released. */
  readonly mayRelease: boolean;
  readonly computeCap: (fleet: { readonly shards: number; readonly workers: number }) => number | undefined;
}

export interface HeldLeaseFacts {
  readonly counter: number;
  /** reading: may be asked to drain. claiming: a claim is on its way. busy: a hand-over, completion or release of it is under way. */
  readonly phase: "reading" | "claiming" | "busy";
  /** Whom the hand-over under way is for. */
  readonly to?: string | undefined;
}

export interface UntakenLease {
  readonly lease: Lease;
  /** Who is to take it; undefined: a joiner, when it can, and another if that takes too long (seed 985312). */
  readonly taker: string | undefined;
}

export interface Decisions {
  /** Take a lease: nobody's, a dead worker's, or one a foreign owner has too many of. */
  readonly claim: readonly {
    readonly lease: Lease;
    readonly reason: MoveReason | "received" | "untaken";
  }[];
  /** Runnable leases that no worker has taken up yet. */
  readonly untaken: readonly UntakenLease[];
  /** Drain, then make it `to`'s. */
  readonly handOver: readonly {
    readonly leaseKey: string;
    readonly to: string;
    readonly reason: MoveReason;
  }[];
  /** Leaving, and nobody can take it. */
  readonly release: readonly { readonly leaseKey: string }[];
  /** The row says somebody else's: stop reading at once. */
  readonly stop: readonly { readonly leaseKey: string; readonly reason: string }[];
  readonly markDead: readonly Member[];
  /** Dead members that own nothing any more: the leader removes their entries. */
  readonly remove: readonly Member[];
  /** Members that are planned with one lease because others died young. */
  readonly onTrial: readonly Member[];
  /** What the others are to do, where the leader assigns. */
  readonly assignments: readonly Assignment[];
  /** What the cap was computed from. */
  readonly size: FleetSize;
  /** Where the plan wants each lease that moves; for hand-overs that were under way when the plan changed. */
  readonly targetOf: ReadonlyMap<string, string>;
  readonly leads: boolean;
  readonly cap: number | undefined;
  /** Something is still to happen: look often. */
  readonly changing: boolean;
  readonly fleet: FleetSummary;
}

/** What the leader publishes as metrics and everybody shows as status. */
export interface FleetSummary {
  readonly workers: number;
  readonly runnable: number;
  readonly blocked: number;
  readonly ended: number;
  /** Runnable leases that nobody alive owns. */
  readonly unowned: number;
  /** Of these, how many the caps leave no room for. */
  readonly spilled: number;
  /** Largest minus smallest number of runnable leases over the active members. */
  readonly imbalance: number;
}

const NONE: ReadonlySet<string> = new Set();

export function decide(facts: Facts): Decisions {
  const { self, table, held } = facts;
  const lines = lineage(table, new Set([...facts.unreadable, ...facts.missing]));
  const alive = facts.members.filter((m) => m.state !== "dead");
  const aliveById = new Map(alive.map((m) => [m.workerId, m]));
  const everMember = new Set(facts.members.map((m) => m.workerId));

  const leases = lines.runnable.map((l) => {
    if (isLeft(facts, l)) return unownedCopy(l);
    const heading = headingFor(l, held, self.workerId, aliveById);
    if (heading !== undefined) return { ...l, owner: heading, checkpointOwner: undefined };
    // A foreign owner's lease that fell silent is free; its other leases may still be alive.
    return facts.expiredLeases.has(l.leaseKey) && isNonMembers(l, everMember) ? unownedCopy(l) : l;
  });
  const onTrial = membersOnTrial(alive);
  const workers = planWorkers(facts, alive, lines.runnable, everMember);
  const limited = workers.map((worker) => (onTrial.has(worker.workerId) ? limit(worker, leases) : worker));
  const withLimits = planLeases(leases, limited);
  // Neither a trial nor having been passed over leaves anything unread (seed 1105351).
  const isLifted = onTrial.size + facts.passedOver.size > 0 && withLimits.spilled.length > 0;
  const unlimited = () => planWorkers({ ...facts, passedOver: NONE }, alive, lines.runnable, everMember);
  const planned = isLifted ? planLeases(leases, unlimited()) : withLimits;
  const { leads } = facts;
  const mayAct = self.state !== "joining";
  const nonMemberOwners = workers.filter((w) => w.role === "foreign").length;
  // Who does not take its share leaves it to the others: a cap that counted on it would have shards unread.
  const takes = ({ workerId }: Member) =>
    !facts.stuckJoiners.has(workerId) && !facts.passedOver.has(workerId) && !onTrial.has(workerId);
  const staying = alive.filter((m) => m.state !== "leaving" && takes(m)).length;
  const size = { shards: shardCount(table, lines), workers: Math.max(1, staying + nonMemberOwners) };
  const cap = facts.computeCap(size);
  // The others plan with the cap this worker has published: it takes nothing under another.
  const mayTake = mayAct && cap === self.maxLeases;

  const claim: Decisions["claim"][number][] = [];
  const untaken: UntakenLease[] = [];
  const handOver: Decisions["handOver"][number][] = [];
  const toMove: PlannedMove[] = [];
  const targetOf = new Map<string, string>();
  for (const [leaseKey, { to }] of held)
    if (to !== undefined && aliveById.get(to)?.state === "active") targetOf.set(leaseKey, to);
  for (const move of planned.moves) {
    targetOf.delete(move.leaseKey);
    const lease = table.get(move.leaseKey)!;
    const isFree = move.reason === "unowned" || move.reason === "owner-gone";
    // Planned for already, and given when it can read: else whoever becomes active first would get its share as well.
    if (aliveById.get(move.to)?.state === "joining") {
      if (mayAct && isFree && !held.has(move.leaseKey)) untaken.push({ lease, taker: undefined });
      continue;
    }
    if (move.to !== self.workerId || !held.has(move.leaseKey)) targetOf.set(move.leaseKey, move.to);
    if (!mayAct) continue;
    const holder = move.from === undefined ? undefined : aliveById.get(move.from);
    const isSteal =
      isNonMembers(lease, everMember) &&
      !facts.expiredLeases.has(lease.leaseKey) &&
      actualOwner(lease) !== undefined;
    const mayMove = !isSteal || facts.observedLeases.has(lease.leaseKey);
    if (mayMove) toMove.push({ lease, holder: holder?.workerId, to: move.to });
    const mayBeUntaken = (move.to !== self.workerId || facts.assigns) && !isLeft(facts, lease);
    if (isFree && mayBeUntaken && !held.has(move.leaseKey)) untaken.push({ lease, taker: move.to });
    if (move.from === self.workerId) {
      if (held.get(move.leaseKey)?.phase === "reading")
        handOver.push({ leaseKey: move.leaseKey, to: move.to, reason: move.reason });
    } else if (
      mayTake &&
      mayMove &&
      move.to === self.workerId &&
      holder === undefined &&
      !held.has(move.leaseKey)
    ) {
      claim.push({ lease, reason: move.reason });
    }
  }
  // What the rows call mine and I do not read: the old owner made it mine, or I was restarted under the same id.
  for (const lease of lines.runnable) {
    if (actualOwner(lease) !== self.workerId || held.has(lease.leaseKey) || !mayAct) continue;
    if (lease.checkpointOwner === undefined) claim.push({ lease, reason: "received" });
  }

  for (const lease of lines.runnable) {
    const owner = actualOwner(lease);
    const isOthers = owner !== undefined && owner !== self.workerId;
    const isUntaken = isOthers || (facts.assigns && !held.has(lease.leaseKey));
    if (lease.isPending === true && owner !== undefined && isUntaken) untaken.push({ lease, taker: owner });
  }
  if (self.state === "active") {
    let room = (self.maxLeases ?? Number.POSITIVE_INFINITY) - held.size - claim.length;
    for (const { lease, taker } of untaken) {
      if (room <= 0 || taker === self.workerId || !facts.overdue.has(untakenKey(lease))) continue;
      if (claim.some((claimed) => claimed.lease.leaseKey === lease.leaseKey)) continue;
      claim.push({ lease, reason: "untaken" });
      room -= 1;
    }
  }

  const release: { leaseKey: string }[] = [];
  if (self.state === "leaving" && facts.mayRelease) {
    const spilled = new Set(planned.spilled);
    for (const [leaseKey, { phase }] of held)
      if (phase === "reading" && spilled.has(leaseKey)) release.push({ leaseKey });
  }

  const stop: { leaseKey: string; reason: string }[] = [];
  for (const [leaseKey, mine] of held) {
    const row = table.get(leaseKey);
    if (facts.unreadable.has(leaseKey)) continue;
    if (row === undefined) stop.push({ leaseKey, reason: "the lease row is gone" });
    // Every write moves the counter up: a lower one is another row, made after the first was removed (seed 1208154).
    else if (row.counter < mine.counter) stop.push({ leaseKey, reason: "the lease row was set back" });
    else if (row.counter > mine.counter && actualOwner(row) !== self.workerId)
      stop.push({ leaseKey, reason: `the row says ${actualOwner(row) ?? "nobody"} owns it` });
  }

  const owners = new Set<string>();
  for (const lease of table.values())
    if (!isEnded(lease)) for (const id of [lease.owner, lease.checkpointOwner]) if (id) owners.add(id);
  const dead = facts.members.filter((m) => m.state === "dead");

  return {
    claim,
    untaken,
    handOver,
    release,
    stop,
    markDead: membersToMarkDead(facts),
    remove: leads ? dead.filter((m) => !owners.has(m.workerId) && m.workerId !== facts.evidence) : [],
    onTrial: alive.filter((m) => onTrial.has(m.workerId)),
    assignments: assignmentsOf(toMove, lines.runnable, {
      self: self.workerId,
      isAlive: (id) => aliveById.has(id),
      underfilled: facts.underfilled,
    }),
    size,
    targetOf,
    leads,
    cap,
    changing:
      planned.moves.length > 0 ||
      alive.some((m) => facts.expiredMembers.has(m.workerId)) ||
      alive.some((m) => m.state === "joining" || m.state === "leaving"),
    fleet: {
      workers: alive.length,
      runnable: lines.runnable.length,
      blocked: lines.blocked.length,
      ended: lines.ended.length,
      unowned:
        planned.moves.filter((m) => m.reason === "unowned" || m.reason === "owner-gone").length +
        planned.spilled.length +
        facts.unreadable.size +
        facts.missing.size +
        // Handed over, and long not read by whom it was given to.
        untaken.filter(({ lease }) => lease.isPending === true && facts.overdue.has(untakenKey(lease)))
          .length,
      spilled: planned.spilled.length,
      imbalance: imbalance(lines.runnable, alive),
    },
  };
}

/** The fleet rows alone say who these are: a worker that has not read the table declares them dead too. */
export const membersToMarkDead = ({ members, self, expiredMembers }: Facts): readonly Member[] =>
  members.filter(
    ({ workerId, state }) => state !== "dead" && workerId !== self.workerId && expiredMembers.has(workerId),
  );

/**
 * Whose a lease will be once what this worker has begun is done. Planned with it as it stands in the rows, a worker
 * would take more than its share while its claims are answered one by one, and give more than it must.
 */
function headingFor(
  lease: Lease,
  held: Facts["held"],
  self: string,
  alive: ReadonlyMap<string, Member>,
): string | undefined {
  const mine = held.get(lease.leaseKey);
  // A row that has moved on tells more than what was begun before.
  if (mine === undefined || lease.counter > mine.counter) return undefined;
  if (mine.phase === "claiming") return self;
  return mine.to !== undefined && alive.get(mine.to)?.state === "active" ? mine.to : undefined;
}

/** Where the plan is carried out for the others: a lease that its new owner has not taken up in time goes to another. */
const isLeft = ({ assigns, overdue }: Facts, lease: Lease): boolean =>
  assigns && lease.isPending === true && overdue.has(untakenKey(lease));

function planWorkers(
  facts: Facts,
  alive: readonly Member[],
  runnable: readonly Lease[],
  everMember: ReadonlySet<string>,
): PlanWorker[] {
  const workers: PlanWorker[] = [];
  const kept = runnable.filter((lease) => !isLeft(facts, lease));
  for (const { workerId, state, maxLeases, steals } of alive) {
    if (facts.stuckJoiners.has(workerId)) continue;
    const role = state === "leaving" ? "leaving" : "active";
    const most = facts.passedOver.has(workerId) ? ownedBy(workerId, kept) : maxLeases;
    workers.push({ workerId, role, maxLeases: most, steals });
  }
  const foreign = new Set<string>();
  for (const lease of runnable) {
    if (isNonMembers(lease, everMember) && !facts.expiredLeases.has(lease.leaseKey))
      foreign.add(actualOwner(lease)!);
  }
  for (const workerId of foreign)
    workers.push({ workerId, role: "foreign", maxLeases: undefined, steals: false });
  return workers;
}

/** Where no other worker could take the leases there is nothing to try: a whole fleet that starts again is as it was. */
function membersOnTrial(alive: readonly Member[]): ReadonlySet<string> {
  return new Set(alive.some(isProven) ? alive.filter(isOnTrial).map((m) => m.workerId) : []);
}

/** It is given one lease; what it holds already it keeps. */
const limit = (worker: PlanWorker, leases: readonly Lease[]): PlanWorker => ({
  ...worker,
  maxLeases: Math.min(
    worker.maxLeases ?? Number.POSITIVE_INFINITY,
    Math.max(1, ownedBy(worker.workerId, leases)),
  ),
});

const ownedBy = (workerId: string, runnable: readonly Lease[]): number =>
  runnable.filter((lease) => actualOwner(lease) === workerId).length;

/** Owned by somebody who is no member: a Java worker, or one of ours that left the rows. */
const isNonMembers = (lease: Lease, members: ReadonlySet<string>): boolean => {
  const owner = actualOwner(lease);
  return owner !== undefined && !members.has(owner);
};

const unownedCopy = (lease: Lease): Lease => ({ ...lease, owner: undefined, checkpointOwner: undefined });

function imbalance(runnable: readonly Lease[], alive: readonly Member[]): number {
  const counts = new Map(alive.filter((m) => m.state === "active").map((m) => [m.workerId, 0]));
  for (const lease of runnable) {
    const owner = actualOwner(lease);
    if (owner !== undefined && counts.has(owner)) counts.set(owner, counts.get(owner)! + 1);
  }
  return counts.size === 0 ? 0 : Math.max(...counts.values()) - Math.min(...counts.values());
}
