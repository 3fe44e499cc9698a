/**
 * Leases that their planned owner does not take: it is stuck, its claims fail, or it computes another plan (a
 * deploy with two versions). The next worker in an order that all compute alike takes them. So a shard is
 * unread for a bounded time at most, as long as a worker with room is alive. Pure: facts in, a new record
 * out.
 */
import { actualOwner, type Lease } from "./lease.ts";

/**
 * When each lease was first observed untaken in its present state, on this worker's monotonic clock; by
 * `untakenKey`.
 */
export type Untaken = ReadonlyMap<string, number>;

/**
 * The key includes the owner and the counter. A lease that has changed hands meanwhile gets another key, so
 * its new owner gets its own full time.
 */
export const untakenKey = (lease: Lease): string =>
  `${lease.leaseKey} ${actualOwner(lease) ?? ""}:${lease.counter}`;

/** @param leases runnable leases that no living worker has taken up: unowned, or handed over and pending */
export const observeUntaken = (before: Untaken, leases: readonly Lease[], nowMillis: number): Untaken =>
  new Map(leases.map(untakenKey).map((key) => [key, before.get(key) ?? nowMillis]));

/** The leader first, then the next two: a rescuer may be stuck as well. */
const RESCUERS = 3;
/** The first rescuer acts after half a failover time, the last after a whole one (at least 3 s). */
const FIRST_PART = 0.5;
const STEP_PART = 0.25;
/**
 * Of the failover time, where the leader assigns. Heartbeats are due every third: one may have failed or been
 * late. The leader has read the table twice.
 */
const ASSIGNED_FIRST_PART = 0.8;
const MIN_ASSIGNED_FIRST_MILLIS = 3_000;
/**
 * With a failover time of a second or two, a healthy owner needs one or two readings of the table, and a
 * claim.
 */
const MIN_FIRST_MILLIS = 2_000;
const MIN_STEP_MILLIS = 500;

/**
 * How long this worker waits before it takes an untaken lease. Undefined: other workers come first.
 *
 * @param withRoom ids of the active workers that may take one more lease
 * @param isAssigned the new owner learns of a lease from its own fleet row, which it reads less often than
 *   other workers read the table
 */
export function rescueAfterMillis(
  workerId: string,
  withRoom: readonly string[],
  failoverTimeMillis: number,
  isAssigned = false,
): number | undefined {
  const rank = withRoom.toSorted().indexOf(workerId);
  if (rank < 0 || rank >= RESCUERS) return undefined;
  const firstMillis = isAssigned
    ? Math.max(MIN_ASSIGNED_FIRST_MILLIS, failoverTimeMillis * ASSIGNED_FIRST_PART)
    : Math.max(MIN_FIRST_MILLIS, failoverTimeMillis * FIRST_PART);
  return firstMillis + rank * Math.max(MIN_STEP_MILLIS, failoverTimeMillis * STEP_PART);
}

/** Keys (`untakenKey`) of the leases that this worker is to take. */
export const overdue = (untaken: Untaken, afterMillis: number, nowMillis: number): ReadonlySet<string> =>
  new Set(
    [...untaken].filter(([, sinceMillis]) => nowMillis - sinceMillis > afterMillis).map(([key]) => key),
  );
