/**
 * The decisions of one worker after one poll of the fleet. `decide` is pure: facts in, decisions with reasons
 * out. The engine carries the decisions out and calls it again with new facts. The simulator, the scenario
 * transcripts and the engine all run this same code.
 */
import { assignmentsOf, type PlannedMove } from "./assignments.ts";
import { actualOwner, isEnded, type Lease } from "./lease.ts";
import { type LeaseTable, lineage, shardCount } from "./lineage.ts";
import type { Assignment, FleetSize, Member } from "./member.ts";
import { type MoveReason, type PlanWorker, planLeases } from "./plan.ts";
import { isOnTrial, isProven } from "./trial.ts";
import { untakenKey } from "./untaken.ts";

export interface Facts {
  /** This worker's fleet row entry, as it last wrote it. */
  readonly self: Member;
  /** Every member in the fleet rows, this worker included. */
  readonly members: readonly Member[];
  /**
   * Members whose heartbeat has not moved for the failover time on this worker's clock. They are first marked
   * dead in the fleet rows. The plan leaves them out only once the rows mark them dead: all workers plan from
   * the same rows.
   */
  readonly expiredMembers: ReadonlySet<string>;
  readonly table: LeaseTable;
  /**
   * Keys of lease rows that exist but cannot be decoded. They block their children, and no worker reads their
   * shards.
   */
  readonly unreadable: ReadonlySet<string>;
  /**
   * Parents whose rows were removed by hand or by another program (`missingParents`). They block their
   * children until the leader has created the rows again.
   */
  readonly missing: ReadonlySet<string>;
  /** Leases whose owner is not a member and whose counter has not moved for the failover time. */
  readonly expiredLeases: ReadonlySet<string>;
  /**
   * Leases of a non-member owner that this worker has observed for a full failover time. Only such a lease
   * may be stolen from a non-member owner that is alive.
   */
  readonly observedLeases: ReadonlySet<string>;
  /**
   * Leases (`untakenKey`) that another worker was to take and has not. This worker takes them, as far as its
   * cap allows.
   */
  readonly overdue: ReadonlySet<string>;
  /** Workers that did not take the leases planned for them. They keep what they have and get no more. */
  readonly passedOver: ReadonlySet<string>;
  /** Workers that have been joining for too long. The plan leaves them out. */
  readonly stuckJoiners: ReadonlySet<string>;
  /**
   * The dead member whose entry is kept for a while although it owns no lease any more: it died young
   * (`trial.ts`).
   */
  readonly evidence: string | undefined;
  /** Leases that this worker reads, is about to hand over, or has a claim in flight for. */
  readonly held: ReadonlyMap<string, HeldLeaseFacts>;
  /** This worker is the leader (`leaders.ts`). */
  readonly leads: boolean;
  /**
   * This worker is the leader or the deputy of a very large fleet: the other workers carry out its plan. A
   * lease planned for this worker itself then counts as untaken too.
   */
  readonly assigns: boolean;
  /**
   * Workers that have held fewer leases than the rows give them for longer than a claim takes. All their
   * leases are assigned to them again.
   */
  readonly underfilled: ReadonlySet<string>;
  /**
   * This worker is leaving, and the others have had time to raise their caps. It may release the leases that
   * no worker has room for.
   */
  readonly mayRelease: boolean;
  readonly computeCap: (fleet: { readonly shards: number; readonly workers: number }) => number | undefined;
}

export interface HeldLeaseFacts {
  readonly counter: number;
  /**
   * - reading: may be asked to drain.
   * - claiming: a claim is in flight.
   * - busy: a hand-over, completion or release is in flight.
   */
  readonly phase: "reading" | "claiming" | "busy";
  /** The recipient of the hand-over in flight. */
  readonly to?: string | undefined;
}

export interface UntakenLease {
  readonly lease: Lease;
  /**
   * The planned new owner. Undefined: a joiner, which takes the lease once it is active. If that takes too
   * long, another worker takes it (seed 985312).
   */
  readonly taker: string | undefined;
}

export interface Decisions {
  /**
   * Leases to take: unowned, of a dead worker, handed over to this worker, not taken by another worker, or
   * held by a non-member owner above its even share.
   */
  readonly claim: readonly {
    readonly lease: Lease;
    readonly reason: MoveReason | "received" | "untaken";
  }[];
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
    // An expired lease of a non-member owner is free. The other leases of that owner may still be alive.
    return facts.expiredLeases.has(l.leaseKey) && isNonMembers(l, everMember) ? unownedCopy(l) : l;
  });
  const onTrial = membersOnTrial(alive);
  const workers = planWorkers(facts, alive, lines.runnable, everMember);
  const limited = workers.map((worker) => (onTrial.has(worker.workerId) ? limit(worker, leases) : worker));
  const withLimits = planLeases(leases, limited);
  // Neither a trial nor being passed over may leave a shard unread (seed 1105351). If the limits leave leases
  // without an owner, plan without them.
  const isLifted = onTrial.size + facts.passedOver.size > 0 && withLimits.spilled.length > 0;
  const unlimited = () => planWorkers({ ...facts, passedOver: NONE }, alive, lines.runnable, everMember);
  const planned = isLifted ? planLeases(leases, unlimited()) : withLimits;
  const { leads } = facts;
  const mayAct = self.state !== "joining";
  const nonMemberOwners = workers.filter((w) => w.role === "foreign").length;
  // A worker that does not take its share leaves it to the others. A cap computed with that worker would
  // leave shards unread.
  const takes = ({ workerId }: Member) =>
    !facts.stuckJoiners.has(workerId) && !facts.passedOver.has(workerId) && !onTrial.has(workerId);
  const staying = alive.filter((m) => m.state !== "leaving" && takes(m)).length;
  const size = { shards: shardCount(table, lines), workers: Math.max(1, staying + nonMemberOwners) };
  const cap = facts.computeCap(size);
  // The other workers plan with the cap that this worker has published. It claims nothing until that is its
  // current cap.
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
    // The plan counts a joiner, but it gets its leases only once it is active. If the plan left it out, the
    // first joiner to become active would get the share of the others too.
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
  // Leases that the rows give to this worker and that it does not read: the old owner handed them over, or
  // this worker was restarted under the same id.
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
    // Every write increments the counter. A lower counter means that the row was removed and created again
    // (seed 1208154).
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
        // Handed over, and not taken up by the new owner for too long.
        untaken.filter(({ lease }) => lease.isPending === true && facts.overdue.has(untakenKey(lease)))
          .length,
      spilled: planned.spilled.length,
      imbalance: imbalance(lines.runnable, alive),
    },
  };
}

/** Needs only the fleet rows: a worker that has not read the lease table marks members dead too. */
export const membersToMarkDead = ({ members, self, expiredMembers }: Facts): readonly Member[] =>
  members.filter(
    ({ workerId, state }) => state !== "dead" && workerId !== self.workerId && expiredMembers.has(workerId),
  );

/**
 * The owner of a lease after this worker's in-flight claims and hand-overs complete. If the plan used the
 * rows alone, a worker would claim more than its share while its claims are in flight, and hand over more
 * than it must.
 */
function headingFor(
  lease: Lease,
  held: Facts["held"],
  self: string,
  alive: ReadonlyMap<string, Member>,
): string | undefined {
  const mine = held.get(lease.leaseKey);
  // A row with a higher counter is newer than the operation in flight.
  if (mine === undefined || lease.counter > mine.counter) return undefined;
  if (mine.phase === "claiming") return self;
  return mine.to !== undefined && alive.get(mine.to)?.state === "active" ? mine.to : undefined;
}

/**
 * The new owner has not taken the lease up in time, and this worker's plan is the one that the others carry
 * out: plan the lease anew, as unowned.
 */
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

/**
 * Members on trial, if a proven worker can take the leases that they do not get. When a whole fleet restarts
 * there is no proven worker, and no member is limited.
 */
function membersOnTrial(alive: readonly Member[]): ReadonlySet<string> {
  return new Set(alive.some(isProven) ? alive.filter(isOnTrial).map((m) => m.workerId) : []);
}

/** A member on trial gets one lease. It keeps what it already holds. */
const limit = (worker: PlanWorker, leases: readonly Lease[]): PlanWorker => ({
  ...worker,
  maxLeases: Math.min(
    worker.maxLeases ?? Number.POSITIVE_INFINITY,
    Math.max(1, ownedBy(worker.workerId, leases)),
  ),
});

const ownedBy = (workerId: string, runnable: readonly Lease[]): number =>
  runnable.filter((lease) => actualOwner(lease) === workerId).length;

/** The owner is not a member: a Java worker, or a worker of this library whose entry was removed. */
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
