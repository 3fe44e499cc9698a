import type { FleetRow } from "./member.ts";

/**
 * How often a worker polls the fleet rows: seldom while nothing changes, often while something does, less
 * often in a larger fleet. Each number bounds a cost in DESIGN.md "Cost".
 */
export interface PollIntervals {
  /** The wanted interval between polls while nothing changes. */
  readonly idleMillis: number;
  /**
   * The actual interval between polls while nothing changes. A heartbeat is a poll too, so a whole number of
   * intervals fits between two heartbeats.
   */
  readonly pollMillis: number;
  /**
   * The idle polls of the whole fleet are spread over this time (`idlePauseMillis`), so that 1,000 workers do
   * not poll at the same moment.
   */
  readonly pollSpreadMillis: number;
  /** Between polls while leases are moving. */
  readonly busyMillis: number;
  /**
   * How long a change keeps the polls frequent. A slow handler's drain must not keep the whole fleet polling.
   */
  readonly busyForMillis: number;
  /** Between two heartbeats: a third of the failover time, so that two may fail (KCL's ratio). */
  readonly heartbeatMillis: number;
  /**
   * A table scan is delayed by a random part of this, so that a change does not make all workers scan at
   * once.
   */
  readonly scanSpreadMillis: number;
}

/**
 * - reads: reads the lease table itself. The role of every worker, except in a very large fleet.
 * - leads, stands-in: the leader that assigns (`assignments.ts`), and its deputy.
 * - follows: does what it is assigned.
 */
export type Role = "reads" | "leads" | "stands-in" | "follows";

/** The leader of a very large fleet polls this often, so it detects a change within this time. */
const LEADER_POLL_MILLIS = 1_000;
/** With fewer leases a scan is so cheap that the leader does not delay it. */
const CHEAP_LEASES = 1_000;
const MIN_DEPUTY_MILLIS = 1_000;
const MIN_FOLLOWER_MILLIS = 30_000;

/** A fleet row entry edited by hand cannot push the heartbeats and polls of other workers below this. */
const MIN_SHORTEST_FAILOVER_MILLIS = 1_000;

/**
 * The failover time that sets the intervals of heartbeats and polls: the shortest that a living member
 * publishes. So a worker with a longer failover time notices an outage before it judges that member.
 */
export function shortestFailoverMillis(fleetRows: Iterable<FleetRow>, ownFailoverMillis: number): number {
  let shortest = ownFailoverMillis;
  for (const { members } of fleetRows)
    for (const { state, failoverTimeMillis } of members)
      if (state !== "dead") shortest = Math.min(shortest, failoverTimeMillis);
  return Math.min(ownFailoverMillis, Math.max(shortest, MIN_SHORTEST_FAILOVER_MILLIS));
}

/** @param hurries the worker joins or leaves, and waits for the leader */
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
    // While changes continue, the leader scans 10,000 rows a second, its deputy half of that, and all others
    // together 2,000.
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
  // 75 polls a minute, of which 18 are heartbeats at the default failover time: under 60 reads a minute per
  // worker. From 67 workers on, the interval grows with the fleet: 1,000 workers poll every 12 s.
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
    // The whole fleet scans 9,000 rows a second on average, so that its peaks stay under 20,000. No scan is
    // delayed by more than half a minute.
    scanSpreadMillis:
      fleet.workers * fleet.leases < 5_000 ? 0 : Math.min(30_000, (fleet.workers * fleet.leases) / 9),
  };
}

/**
 * A heartbeat that is due within this time is sent with the current poll, instead of with one of its own. It
 * is a little more than the half interval in `idlePauseMillis`. Otherwise a worker whose heartbeats fall
 * between two ticks would never align to the ticks.
 */
export const heartbeatSlackMillis = ({ busyMillis, pollMillis }: PollIntervals, isBusy: boolean): number =>
  0.55 * (isBusy ? busyMillis : pollMillis);

/**
 * The pause until the next poll while nothing changes. All workers poll at the same wall-clock ticks. A
 * rebalance ends when the last donor notices it; aligned polls make that half an interval on average. Clocks
 * that disagree only lose this advantage. A clock that jumps costs one poll.
 *
 * @param phase this worker's place in `pollSpreadMillis`, from 0 to 1
 */
export function idlePauseMillis(
  { pollMillis, pollSpreadMillis }: PollIntervals,
  now: { readonly wallMillis: number; readonly untilHeartbeatMillis: number },
  phase: number,
): number {
  const sinceTick = modulo(now.wallMillis - phase * pollSpreadMillis, pollMillis);
  const untilTick = pollMillis - sinceTick;
  // A timer may fire slightly early. The current poll then counts as the poll of that tick.
  const pause = untilTick < pollMillis / 8 ? untilTick + pollMillis : untilTick;
  // The heartbeat is sent with the poll nearest to it.
  return Math.max(1, pause > now.untilHeartbeatMillis + pollMillis / 2 ? now.untilHeartbeatMillis : pause);
}

const modulo = (value: number, by: number): number => ((value % by) + by) % by;
