/**
 * The plan that all workers compute alike: who takes part in it, and with which limits. Pure.
 */
import type { Facts } from "./facts.ts";
import { actualOwner, type Lease } from "./lease.ts";
import type { Member } from "./member.ts";
import { type Move, type PlanWorker, planLeases } from "./plan.ts";
import { isOnTrial, isProven } from "./trial.ts";
import { untakenKey } from "./untaken.ts";

const NONE: ReadonlySet<string> = new Set();

export interface FleetPlan {
  readonly moves: readonly Move[];
  /** Keys of the leases that the caps leave no room for. */
  readonly spilled: readonly string[];
  /** Members that are limited to one lease because workers before them died young. */
  readonly onTrial: ReadonlySet<string>;
  /** How many owners that are no members take part: Java workers. */
  readonly nonMemberOwners: number;
  /** The owner of the lease is not a member: a Java worker, or one whose entry was removed. */
  readonly isNonMembers: (lease: Lease) => boolean;
}

/** @param aliveById the members that are not dead */
export function planFleet(
  facts: Facts,
  runnable: readonly Lease[],
  aliveById: ReadonlyMap<string, Member>,
): FleetPlan {
  const alive = [...aliveById.values()];
  const everMember = new Set(facts.members.map((m) => m.workerId));
  const leases = runnable.map((lease) => {
    if (isLeft(facts, lease)) return unownedCopy(lease);
    const heading = headingFor(lease, facts.held, facts.self.workerId, aliveById);
    if (heading !== undefined) return { ...lease, owner: heading, checkpointOwner: undefined };
    // An expired lease of a non-member owner is free. The other leases of that owner may still be alive.
    const isExpired = facts.expiredLeases.has(lease.leaseKey) && isNonMembers(lease, everMember);
    return isExpired ? unownedCopy(lease) : lease;
  });
  const onTrial = membersOnTrial(alive);
  const workers = planWorkers(facts, alive, runnable, everMember);
  const limited = workers.map((worker) => (onTrial.has(worker.workerId) ? limit(worker, leases) : worker));
  const withLimits = planLeases(leases, limited);
  // Neither a trial nor being passed over may leave a shard unread (seed 1105351). If the limits leave leases
  // without an owner, plan without them.
  const isLifted = onTrial.size + facts.passedOver.size > 0 && withLimits.spilled.length > 0;
  const unlimited = () => planWorkers({ ...facts, passedOver: NONE }, alive, runnable, everMember);
  const { moves, spilled } = isLifted ? planLeases(leases, unlimited()) : withLimits;
  const nonMemberOwners = workers.filter((worker) => worker.role === "foreign").length;
  return {
    moves,
    spilled,
    onTrial,
    nonMemberOwners,
    isNonMembers: (lease) => isNonMembers(lease, everMember),
  };
}

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
export const isLeft = ({ assigns, overdue }: Facts, lease: Lease): boolean =>
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
