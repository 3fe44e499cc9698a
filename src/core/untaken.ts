/**
 * Leases that their planned owner does not take: it is stuck, its claims fail, or it computes another plan (a deploy with
 * two versions). Whoever is next in line takes them, in an order that all compute alike, so that a shard is not unread for
 * longer than a bound while a worker with room lives. Pure: facts in, a new record out.
 */
import { actualOwner, type Lease } from "./lease.ts";

/** When each lease, as it stands, was first seen untaken, on this worker's monotonic clock; by `untakenKey`. */
export type Untaken = ReadonlyMap<string, number>;

/** With the fence: a lease that has changed hands meanwhile is another one, and its new owner has its own time. */
export const untakenKey = (lease: Lease): string =>
  `${lease.leaseKey} ${actualOwner(lease) ?? ""}:${lease.counter}`;

/** @param leases runnable ones that no living worker has taken up: free, or handed over and pending */
export const observeUntaken = (before: Untaken, leases: readonly Lease[], nowMillis: number): Untaken =>
  new Map(leases.map(untakenKey).map((key) => [key, before.get(key) ?? nowMillis]));

/** The leader first, then the next two: a rescuer may be stuck as well. */
const RESCUERS = 3;
/** The first rescuer acts after half a failover time, the last at the end of a whole one (or of 3 s). */
const FIRST_PART = 0.5;
const STEP_PART = 0.25;
/** Of a heartbeat in each third one has failed or come late, and the leader has read the table twice. */
const ASSIGNED_FIRST_PART = 0.8;
const MIN_ASSIGNED_FIRST_MILLIS = 3_000;
/** With a failover time of a second or two: an owner that is well needs a reading of the table or two, and a claim. */
const MIN_FIRST_MILLIS = 2_000;
const MIN_STEP_MILLIS = 500;

/**
 * How long this worker waits before it takes an untaken lease; undefined: others are before it.
 * @param withRoom ids of the active workers that may take a lease more
 * @param isAssigned the new owner learns of a lease by its own fleet row: it looks there less often than others at the table
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
