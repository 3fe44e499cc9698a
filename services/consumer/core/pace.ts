import type { FleetPage } from "./member.ts";

/**
 * How often a worker looks at the fleet. Seldom while nothing changes, often while something does, slower as the
 * fleet grows; each number bounds a cost in DESIGN.md "Cost".
 */
export interface Pace {
  /** Between looks while nothing changes. */
  readonly idleMillis: number;
  /** Between looks while nothing changes, as they fall: a whole number of them between two heartbeats, which are looks too. */
  readonly lookMillis: number;
  /** Over so long the idle looks of the whole fleet are spread (`idlePauseMillis`): nobody answers 1,000 at once. */
  readonly lookSpreadMillis: number;
  /** Between looks while leases are moving. */
  readonly busyMillis: number;
  /** How long a change keeps the looks frequent: a slow handler's drain must not keep the whole fleet polling. */
  readonly busyForMillis: number;
  /** Between two heartbeats: a third of the failover time, so that two may fail (KCL's ratio). */
  readonly beatMillis: number;
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
const LEADER_LOOK_MILLIS = 1_000;
/** With fewer leases a reading is so cheap that the leader waits for nothing. */
const CHEAP_LEASES = 1_000;
const DEPUTY_LEAST_MILLIS = 1_000;
const FOLLOWER_LEAST_MILLIS = 30_000;

/** An entry edited by hand does not hurry the others more than this. */
const SHORTEST_RHYTHM_MILLIS = 1_000;

/**
 * The failover time that heartbeats and looks follow: the shortest that a living member publishes, so that a worker with
 * a longer one notices an outage before it judges that member.
 */
export function rhythmMillis(pages: Iterable<FleetPage>, ownFailoverMillis: number): number {
  let shortest = ownFailoverMillis;
  for (const { members } of pages)
    for (const { state, failoverTimeMillis } of members)
      if (state !== "dead") shortest = Math.min(shortest, failoverTimeMillis);
  return Math.min(ownFailoverMillis, Math.max(shortest, SHORTEST_RHYTHM_MILLIS));
}

/** @param hurries joins or leaves: it waits for the leader */
export function paceOf(
  fleet: { readonly workers: number; readonly leases: number },
  failoverTimeMillis: number,
  role: Role = "reads",
  hurries = false,
): Pace {
  const pace = paceOfReader(fleet, failoverTimeMillis);
  const { workers, leases } = fleet;
  switch (role) {
    case "reads":
      return pace;
    // While changes go on the leader reads 10,000 rows a second, its deputy half of that, and all others together 2,000.
    case "leads":
      return { ...quick(pace), scanSpreadMillis: leases < CHEAP_LEASES ? 0 : leases / 10 };
    case "stands-in":
      return { ...quick(pace), scanSpreadMillis: Math.max(DEPUTY_LEAST_MILLIS, leases / 5) };
    case "follows":
      return {
        ...(hurries ? quick(pace) : pace),
        scanSpreadMillis: Math.max(FOLLOWER_LEAST_MILLIS, (workers * leases) / 2),
      };
  }
}

function quick(pace: Pace): Pace {
  const { beatMillis, idleMillis, busyMillis, lookSpreadMillis } = pace;
  const lookMillis = beatMillis / Math.max(1, Math.round(beatMillis / LEADER_LOOK_MILLIS));
  return {
    ...pace,
    idleMillis: Math.min(idleMillis, LEADER_LOOK_MILLIS),
    lookMillis: Math.min(pace.lookMillis, lookMillis),
    lookSpreadMillis: Math.min(lookSpreadMillis, lookMillis),
    busyMillis: Math.min(busyMillis, LEADER_LOOK_MILLIS),
  };
}

function paceOfReader(
  fleet: { readonly workers: number; readonly leases: number },
  failoverTimeMillis: number,
): Pace {
  // 75 looks a minute, of which 18 are heartbeats at the default failover time: under 60 reads a minute a worker.
  // From 67 workers on it grows with the fleet: 1,000 workers look every 12 s.
  const idleMillis = Math.max(800, fleet.workers * 12);
  const beatMillis = failoverTimeMillis / 3;
  const lookMillis = beatMillis / Math.max(1, Math.round(beatMillis / idleMillis));
  return {
    idleMillis,
    lookMillis,
    lookSpreadMillis: Math.min(lookMillis, fleet.workers * 5),
    busyMillis: Math.max(100, fleet.workers * 5),
    busyForMillis: 3_000,
    beatMillis,
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
export const beatSlackMillis = ({ busyMillis, lookMillis }: Pace, isBusy: boolean): number =>
  0.55 * (isBusy ? busyMillis : lookMillis);

/**
 * From now to the next look while nothing changes. The looks of a fleet lie on one grid of the wall clock, so that
 * all see a change at the same moment: who waits for all of them waits for half an interval on average, not for the
 * slowest of many. Clocks that disagree only lose that; a grid that jumps costs one look.
 *
 * @param phase this worker's own place in `lookSpreadMillis`, from 0 to 1
 */
export function idlePauseMillis(
  { lookMillis, lookSpreadMillis }: Pace,
  now: { readonly wallMillis: number; readonly untilBeatMillis: number },
  phase: number,
): number {
  const sinceTick = modulo(now.wallMillis - phase * lookSpreadMillis, lookMillis);
  const untilTick = lookMillis - sinceTick;
  // A timer may fire a moment early: then this look was that tick's.
  const pause = untilTick < lookMillis / 8 ? untilTick + lookMillis : untilTick;
  // The heartbeat goes with the look next to it.
  return Math.max(1, pause > now.untilBeatMillis + lookMillis / 2 ? now.untilBeatMillis : pause);
}

const modulo = (value: number, by: number): number => ((value % by) + by) % by;
