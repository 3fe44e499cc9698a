import type { FleetRow } from "./member.ts";

/**
 * How often a worker looks at the fleet. Seldom while nothing changes, often while something does, slower as the
 * fleet grows; each number bounds a cost in DESIGN.md "Cost".
 */
export interface PollIntervals {
  /** Between looks while nothing changes. */
  readonly idleMillis: number;
  /** Between looks while nothing changes, as they fall: a whole number of them between two heartbeats, which are looks too. */
  readonly pollMillis: number;
  /** Over so long the idle looks of the whole fleet are spread (`idlePauseMillis`): nobody answers 1,000 at once. */
  readonly pollSpreadMillis: number;
  /** Between looks while leases are moving. */
  readonly busyMillis: number;
  /** How long a change keeps the looks frequent: a slow handler's drain must not keep the whole fleet polling. */
  readonly busyForMillis: number;
  /** Between two heartbeats: a third of the failover time, so that two may fail (KCL's ratio). */
  readonly heartbeatMillis: number;
  /** A table scan is put off by a random part of this, so that a change does not make every worker read the table at once. */
  readonly scanSpreadMillis: number;
}

/**
 * - reads: reads the table for itself, as every worker does but in a very large fleet;
 * - leads, stands-in: the leader that assigns (`assignments.ts`), and its deputy;
 * - follows: does what it is assigned.
 */
export type Role = "reads" | "leads" | "stands-in" | "follows";

/** The leader of a very large fleet sees a change so soon, and the fleet's row with it. */
const LEADER_POLL_MILLIS = 1_000;
/** With fewer leases a reading is so cheap that the leader waits for nothing. */
const CHEAP_LEASES = 1_000;
const MIN_DEPUTY_MILLIS = 1_000;
const MIN_FOLLOWER_MILLIS = 30_000;

/** An entry edited by hand does not hurry the others more than this. */
const MIN_SHORTEST_FAILOVER_MILLIS = 1_000;

/**
 * The failover time that heartbeats and looks follow: the shortest that a living member publishes, so that a worker with
 * a longer one notices an outage before it judges that member.
 */
export function shortestFailoverMillis(fleetRows: Iterable<FleetRow>, ownFailoverMillis: number): number {
  let shortest = ownFailoverMillis;
  for (const { members } of fleetRows)
    for (const { state, failoverTimeMillis } of members)
      if (state !== "dead") shortest = Math.min(shortest, failoverTimeMillis);
  return Math.min(ownFailoverMillis, Math.max(shortest, MIN_SHORTEST_FAILOVER_MILLIS));
}

/** @param hurries joins or leaves: it waits for the leader */
export function pollIntervalsOf(
  fleet: { readonly workers: number; readonly leases: number },
  failoverTimeMillis: number,
  role: Role = "reads",
  hurries = false,
): PollIntervals {
  const intervals = intervalsOfReader(fleet, failoverTimeMillis);
  const { workers, leases } = fleet;
  switch (role) {
    case "reads":
      return intervals;
    // While changes go on the leader reads 10,000 rows a second, its deputy half of that, and all others together 2,000.
    case "leads":
      return { ...quick(intervals), scanSpreadMillis: leases < CHEAP_LEASES ? 0 : leases / 10 };
    case "stands-in":
      return { ...quick(intervals), scanSpreadMillis: Math.max(MIN_DEPUTY_MILLIS, leases / 5) };
    case "follows":
      return {
        ...(hurries ? quick(intervals) : intervals),
        scanSpreadMillis: Math.max(MIN_FOLLOWER_MILLIS, (workers * leases) / 2),
      };
  }
}

function quick(intervals: PollIntervals): PollIntervals {
  const { heartbeatMillis, idleMillis, busyMillis, pollSpreadMillis } = intervals;
  const pollMillis = heartbeatMillis / Math.max(1, Math.round(heartbeatMillis / LEADER_POLL_MILLIS));
  return {
    ...intervals,
    idleMillis: Math.min(idleMillis, LEADER_POLL_MILLIS),
    pollMillis: Math.min(intervals.pollMillis, pollMillis),
    pollSpreadMillis: Math.min(pollSpreadMillis, pollMillis),
    busyMillis: Math.min(busyMillis, LEADER_POLL_MILLIS),
  };
}

function intervalsOfReader(
  fleet: { readonly workers: number; readonly leases: number },
  failoverTimeMillis: number,
): PollIntervals {
  // 75 looks a minute, of which 18 are heartbeats at the default failover time: under 60 reads a minute a worker.
  // From 67 workers on it grows with the fleet: 1,000 workers look every 12 s.
  const idleMillis = Math.max(800, fleet.workers * 12);
  const heartbeatMillis = failoverTimeMillis / 3;
  const pollMillis = heartbeatMillis / Math.max(1, Math.round(heartbeatMillis / idleMillis));
  return {
    idleMillis,
    pollMillis,
    pollSpreadMillis: Math.min(pollMillis, fleet.workers * 5),
    busyMillis: Math.max(100, fleet.workers * 5),
    busyForMillis: 3_000,
    heartbeatMillis,
    // The fleet together scans 10,000 rows a second on average, so that its peaks stay under 20,000; nobody waits longer
    // than half a minute.
    scanSpreadMillis:
      fleet.workers * fleet.leases < 5_000 ? 0 : Math.min(30_000, (fleet.workers * fleet.leases) / 10),
  };
}

/**
 * A heartbeat due sooner than this goes with the look at hand, not with one of its own. A little more than the half look
 * of `idlePauseMillis`, or a worker whose heartbeats fall between two looks of the grid would never get onto it.
 */
export const heartbeatSlackMillis = ({ busyMillis, pollMillis }: PollIntervals, isBusy: boolean): number =>
  0.55 * (isBusy ? busyMillis : pollMillis);

/**
 * From now to the next look while nothing changes. The looks of a fleet lie on one grid of the wall clock, so that
 * all see a change at the same moment: who waits for all of them waits for half an interval on average, not for the
 * slowest of many. Clocks that disagree only lose that; a grid that jumps costs one look.
 *
 * @param phase this worker's own place in `pollSpreadMillis`, from 0 to 1
 */
export function idlePauseMillis(
  { pollMillis, pollSpreadMillis }: PollIntervals,
  now: { readonly wallMillis: number; readonly untilHeartbeatMillis: number },
  phase: number,
): number {
  const sinceTick = modulo(now.wallMillis - phase * pollSpreadMillis, pollMillis);
  const untilTick = pollMillis - sinceTick;
  // A timer may fire a moment early: then this look was that tick's.
  const pause = untilTick < pollMillis / 8 ? untilTick + pollMillis : untilTick;
  // The heartbeat goes with the look next to it.
  return Math.max(1, pause > now.untilHeartbeatMillis + pollMillis / 2 ? now.untilHeartbeatMillis : pause);
}

const modulo = (value: number, by: number): number => ((value % by) + by) % by;
