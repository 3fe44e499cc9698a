/**
 * Lease assignment in a very large fleet, where it would cost too much if every worker read the lease table.
 * The leader alone reads it, plans, and writes into the fleet rows what each worker is to do. The other
 * workers read only their own fleet row.
 *
 * An assignment states what the plan wants now. The leader rewrites all assignments of a row after each
 * reading. So an assignment that is lost, done or outdated needs no removal. Safety does not depend on
 * assignments: the writes of lease rows are conditional, as always.
 */
import { actualOwner, type Lease } from "./lease.ts";
import type { Assignment, FleetRow, FleetSize, Member } from "./member.ts";

/**
 * Workers × shards. Below this, every worker reads the table itself, at intervals of at most half a minute
 * (`poll-intervals.ts`), and a lease moves within a second or two.
 */
export const DEFAULT_ASSIGNS_FROM = 300_000;
/** Hysteresis: a fleet near the bound must not switch modes again and again. */
const UNTIL_PART = 0.5;
/**
 * Most assignments of one fleet row: about 5 KB. The rest waits for the next reading, a second or so later.
 */
export const MAX_ASSIGNMENTS = 60;

/** The fleet size that fleet row 0 is to publish. It is exact, because caps are computed from it. */
export function publishedSize(
  before: FleetSize | undefined,
  now: FleetSize,
  assignsFrom: number,
): FleetSize | undefined {
  const bound = assignsFrom * (before === undefined ? 1 : UNTIL_PART);
  return now.workers * now.shards < bound ? undefined : now;
}

export interface PlannedMove {
  readonly lease: Lease;
  /**
   * The member that owns it. Undefined: no living member owns it, or its owner has not taken it up for too
   * long.
   */
  readonly holder: string | undefined;
  readonly to: string;
}

/**
 * What the other workers are to do. A lease that its owner has not taken up is assigned to that owner first,
 * even if it is to move on: only a worker that reads a lease can hand it over. A lease without a holder is
 * assigned to its new owner, which claims it.
 */
export function assignmentsOf(
  moves: readonly PlannedMove[],
  runnable: readonly Lease[],
  fleet: {
    readonly self: string;
    readonly isAlive: (workerId: string) => boolean;
    readonly underfilled: ReadonlySet<string>;
  },
): readonly Assignment[] {
  const assignments = new Map<string, Assignment>();
  for (const { lease, holder, to } of moves) {
    const { leaseKey } = lease;
    const assigned = holder === undefined ? claimOf(lease, to) : { leaseKey, worker: holder, to };
    assignments.set(leaseKey, assigned);
  }
  for (const lease of runnable) {
    const owner = actualOwner(lease);
    if (owner === undefined || !fleet.isAlive(owner)) continue;
    const isToBeClaimed = assignments.get(lease.leaseKey)?.counter !== undefined;
    if (isToBeClaimed) continue;
    if (lease.isPending || fleet.underfilled.has(owner))
      assignments.set(lease.leaseKey, claimOf(lease, owner));
  }
  return [...assignments.values()].filter(({ worker }) => worker !== fleet.self);
}

function claimOf(lease: Lease, to: string): Assignment {
  const { leaseKey, counter } = lease;
  const owner = actualOwner(lease);
  return { leaseKey, worker: to, to, counter, ...(owner !== undefined && { owner }) };
}

/** The row is still as the leader read it. */
export const isAsAssigned = (row: Lease, { counter, owner }: Assignment): boolean =>
  row.counter === counter && actualOwner(row) === owner;

export interface RowChange {
  readonly fleetRow: number;
  readonly assignments: readonly Assignment[];
  /** Of fleet row 0. */
  readonly size: FleetSize | undefined;
}

/**
 * The fleet rows whose content differs from the plan.
 *
 * @param published the fleet size that fleet row 0 is to publish
 */
export function changedRows(
  fleetRows: Iterable<FleetRow>,
  wanted: readonly Assignment[],
  published?: FleetSize,
): readonly RowChange[] {
  const byWorker = new Map<string, Assignment[]>();
  for (const assignment of wanted) {
    const others = byWorker.get(assignment.worker);
    if (others === undefined) byWorker.set(assignment.worker, [assignment]);
    else others.push(assignment);
  }
  const changes: RowChange[] = [];
  for (const { number: fleetRow, members, assignments: before = [], size: sizeBefore } of fleetRows) {
    const all = members.filter(isAlive).flatMap(({ workerId }) => byWorker.get(workerId) ?? []);
    const assignments = all.slice(0, MAX_ASSIGNMENTS).toSorted(byKey);
    const size = fleetRow === 0 ? published : undefined;
    const isSame = JSON.stringify([assignments, size]) === JSON.stringify([before, sizeBefore]);
    if (!isSame) changes.push({ fleetRow, assignments, size });
  }
  return changes;
}

const isAlive = ({ state }: Member): boolean => state !== "dead";
const byKey = (a: Assignment, b: Assignment): number => (a.leaseKey < b.leaseKey ? -1 : 1);
