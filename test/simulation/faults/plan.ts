/**
 * Faults beyond crashes, pauses and single failing calls: outages that hit the whole fleet, refused
 * credentials, calls that never settle, blocked event loops, unequal options, rows edited by hand, and more.
 * The third generation of draws. Each kind has a prng of its own, and is present in a run or absent from it.
 */
import type { Scheduled, Swarm } from "../swarm.ts";
import type { Prng } from "../world/prng.ts";
import {
  type BlockedLoops,
  type Drawn,
  type FaultPlan,
  type Kind,
  NO_FAULT_PLAN,
  type Outage,
  type Tampering,
  type TamperingPlan,
  type Window,
} from "./fault-plan.ts";

export type { BlockedLoops, FaultPlan, Outage, Tampering, TamperingPlan, Window };
export { NO_FAULT_PLAN };

/**
 * Throttled: sometimes only a part of the calls. A fault that hits some heartbeats and not others can have
 * workers marked dead.
 */
const outage = (prng: Prng, swarm: Swarm, rest: Omit<Outage, "at" | "millis" | "share" | "who">): Outage => ({
  at: prng.between(0, swarm.safetyMillis),
  millis: swarm.failoverTimeMillis * prng.pick([0.2, 0.35, 0.8, 1.1, 1.5, 2.5, 6]),
  share: rest.how === "throttled" ? prng.pick([0.5, 1]) : 1,
  who: "fleet",
  ...rest,
});

/** One or two in the same run, so that the second hits a fleet that has just recovered. */
const several = <T>(prng: Prng, draw: () => T): T[] => Array.from({ length: prng.integer(1, 2) }, draw);

const KINDS = {
  /** The lease table serves no worker. */
  outage: {
    ready: true,
    draw: (prng, swarm) => ({
      plan: {
        outages: several(prng, () =>
          outage(prng, swarm, {
            service: "store",
            how: prng.pick(["unavailable", "throttled", "black-hole", "mute", "lost-answer"] as const),
            what: prng.pick(["all", "writes"] as const),
          }),
        ),
      },
    }),
  },
  /** The stream serves no worker. */
  "stream-outage": {
    ready: true,
    draw: (prng, swarm) => ({
      plan: {
        outages: several(prng, () =>
          outage(prng, swarm, {
            service: "stream",
            how: prng.pick(["unavailable", "throttled", "black-hole", "lost-answer"] as const),
            what: "all",
          }),
        ),
      },
    }),
  },
  /** Answers that are empty, or that lack what a real answer has. */
  malformed: {
    ready: true,
    draw: (prng, swarm) => ({
      plan: {
        outages: several(prng, () =>
          outage(prng, swarm, {
            service: prng.pick(["store", "stream"] as const),
            how: prng.pick(["empty", "malformed-answer"] as const),
            what: "all",
          }),
        ),
      },
    }),
  },
  /** The credentials are refused, for one worker or for all. */
  denied: {
    ready: true,
    draw: (prng, swarm) => ({
      plan: {
        outages: several(prng, () => ({
          ...outage(prng, swarm, {
            service: prng.pick(["store", "stream"] as const),
            how: prng.pick(["denied", "unauthenticated", "expired-credentials"] as const),
            what: prng.pick(["all", "all", "writes"] as const),
          }),
          who: prng.chance(0.5) ? "fleet" : prng.next(),
        })),
      },
    }),
  },
  /** Single calls of a worker that never settle. */
  "hung-calls": {
    ready: true,
    draw: (prng) => ({
      plan: {
        hungCalls: prng.pick([
          { store: 0.01, stream: 0 },
          { store: 0, stream: 0.01 },
          { store: 0.003, stream: 0.003 },
        ]),
      },
    }),
  },
  /** Handlers that block the event loop. */
  "blocked-loops": {
    ready: true,
    draw: (prng, swarm) => {
      const { failoverTimeMillis } = swarm;
      if (prng.chance(0.5)) {
        const millis = failoverTimeMillis * prng.pick([0.3, 0.9, 1.3, 3]);
        return { plan: { blockedLoops: { share: prng.pick([0.02, 0.2]), millis, millisPerRecord: 0 } } };
      }
      const millisPerRecord = Math.min(1_000, failoverTimeMillis * prng.pick([0.05, 0.15, 0.4]));
      return {
        plan: { blockedLoops: { share: 0, millis: 0, millisPerRecord } },
        // A backlog, so that batches are large: a handler that keeps up with the puts gets one record at a
        // time.
        swarm: {
          putsPerSecond: 2,
          startAtMillis: 20_000,
          shards: prng.integer(1, 4),
          workers: prng.integer(1, 3),
        },
      };
    },
  },
  /** A rolling deploy of another failover time that stops halfway. */
  "unequal-failover": {
    ready: true,
    draw: (prng, { failoverTimeMillis }) => ({
      plan: {
        failoverTimesMillis: [
          failoverTimeMillis,
          failoverTimeMillis * prng.pick([0.5, 2, 3]),
          failoverTimeMillis * prng.pick([1, 2, 5]),
        ],
      },
    }),
  },
  /** Some workers steal, some do not. */
  "unequal-stealing": {
    ready: true,
    draw: (prng) => ({ plan: { notStealing: prng.pick([0.3, 0.6]) }, swarm: { steals: true } }),
  },
  /** A cap function that returns another value each time. */
  "impure-caps": {
    ready: true,
    draw: (prng) => ({
      plan: { capNoise: prng.pick([1, 3, 10]) },
      // One worker may have to hold all leases that many splits make.
      swarm: { cap: { kind: "formula", limit: 1_000 } },
    }),
  },
  /** Two versions of the planner in one fleet. */
  "two-planners": {
    ready: true,
    draw: (prng) => ({ plan: { otherPlanner: prng.pick([0.3, 0.5]) } }),
  },
  /** Two workers start under LATEST or a Date, on a stream that was resharded before. */
  beginning: {
    ready: true,
    draw: drawBeginning,
  },
  /** Rows deleted, garbled and edited by hand. */
  tampering: {
    ready: true,
    draw: (prng, swarm) => ({
      plan: {
        tampering: Array.from({ length: prng.integer(1, 3) }, () => ({
          at: prng.between(5_000, Math.max(6_000, swarm.safetyMillis)),
          who: prng.next(),
          what: prng.pick(TAMPERINGS),
          repairAfterMillis: prng.pick([500, 5_000, 20_000]),
        })),
      },
    }),
  },
  /** Every handler call fails, on every worker. */
  downstream: {
    ready: true,
    draw: (prng, swarm) => ({
      plan: {
        downstreamOutages: several(prng, () => ({
          at: prng.between(1_000, swarm.safetyMillis),
          millis: prng.pick([2_000, 10_000, 60_000]),
        })),
      },
    }),
  },
  /** One worker's claims always fail. */
  "failing-claims": {
    ready: true,
    draw: (prng, swarm) => ({
      plan: {
        outages: [
          {
            at: 0,
            millis: swarm.safetyMillis,
            service: "store",
            how: prng.pick(["unavailable", "denied", "black-hole"] as const),
            what: "all",
            share: 1,
            who: prng.next(),
            operation: "claim",
          },
        ],
      },
    }),
  },
  /** A member that never becomes active. */
  "stuck-joiner": {
    ready: true,
    draw: (prng, swarm) => {
      const at = prng.between(0, swarm.safetyMillis);
      return { plan: { stuckJoiners: [{ at, millis: swarm.failoverTimeMillis * 4 + 10_000 }] } };
    },
  },
  /**
   * Two processes with one worker id. Drawn alone only: where the first may crash, the second may rightly
   * start.
   */
  duplicate: {
    ready: false,
    draw: (prng, swarm) => ({
      plan: { duplicates: [{ at: prng.between(3_000, swarm.safetyMillis), who: prng.next() }] },
      // The first must not stop either.
      swarm: { schedule: swarm.schedule.filter(({ action }) => action.kind !== "stop") },
    }),
  },
  /** All workers replaced within seconds. */
  deploy: {
    ready: true,
    draw: (prng, swarm) => ({
      plan: {
        deploys: [
          { at: prng.between(0, swarm.safetyMillis - 5_000), millis: prng.pick([500, 3_000, 10_000]) },
        ],
      },
    }),
  },
  /** A version that dies seconds after it has joined. */
  "crash-loop": {
    ready: true,
    draw: (prng, swarm) => ({
      plan: {
        crashLoop: {
          at: prng.between(2_000, swarm.safetyMillis / 2),
          livesMillis: prng.pick([500, 2_000, 5_000]),
          times: prng.integer(3, 8),
          sameId: prng.chance(0.5),
        },
      },
    }),
  },
} as const satisfies Record<string, Kind>;

export type FaultKind = keyof typeof KINDS;

export const FAULT_KINDS: Readonly<Record<FaultKind, Kind>> = KINDS;
export const FAULT_KIND_NAMES = Object.keys(KINDS) as readonly FaultKind[];

function drawBeginning(prng: Prng, swarm: Swarm): Drawn {
  const startAtMillis = prng.between(2_000, 6_000);
  const failingMillis = prng.pick([500, 3_000]);
  const split = (): Scheduled => ({
    at: prng.between(0, startAtMillis),
    who: prng.next(),
    action: { kind: "split", count: prng.integer(1, 2), wake: false },
  });
  const later = swarm.schedule
    .filter(({ action }) => action.kind !== "step-wall-clock")
    .map((scheduled) => ({ ...scheduled, at: scheduled.at + startAtMillis }));
  return {
    plan: {
      outages: [
        {
          at: startAtMillis,
          millis: failingMillis,
          service: "store",
          how: prng.pick(["throttled", "lost-answer"] as const),
          what: "writes",
          share: prng.pick([0.3, 0.6, 0.9]),
          who: "fleet",
          operation: "create",
        },
      ],
    },
    swarm: {
      workers: Math.max(2, Math.min(swarm.workers, 4)),
      startAtMillis,
      startSpreadMillis: prng.pick([0, 100, 300, 600]),
      initialPosition: prng.chance(0.5) ? "LATEST" : { atMillis: prng.between(0, startAtMillis) },
      earlierReshards: prng.integer(1, 4),
      trimmed: prng.chance(0.2),
      orphanedLeases: false,
      wallClocksHoursOff: false,
      driftPercent: 0,
      javaShifts: [],
      schedule: [split(), ...later].toSorted((a, b) => a.at - b.at),
      safetyMillis: swarm.safetyMillis + startAtMillis,
    },
  };
}

const TAMPERINGS: readonly Tampering[] = [
  "delete-lease",
  "garble-lease",
  "edit-owner",
  "edit-owner-silently",
  "delete-fleet-row",
  "delete-member",
  "set-back-generation",
];

/** Share of runs in which a kind is present. */
const PRESENT = 0.15;

/** @param only this kind, also if the engine is not `ready` for it */
export function drawFaults(seed: Prng, swarm: Swarm, only: FaultKind | undefined): Swarm {
  const present = FAULT_KIND_NAMES.filter((name) =>
    only === undefined ? FAULT_KINDS[name].ready && seed.fork(`has ${name}`).chance(PRESENT) : name === only,
  );
  let drawn = swarm;
  for (const name of present) {
    const { plan, swarm: changes } = FAULT_KINDS[name].draw(seed.fork(name), drawn);
    const outages = [...drawn.faults.outages, ...(plan.outages ?? [])];
    drawn = { ...drawn, ...changes, faults: { ...drawn.faults, ...plan, outages } };
  }
  const faults = { ...drawn.faults, kinds: present };
  const safetyMillis = Math.max(drawn.safetyMillis, drawn.startAtMillis + 10_000, lastEnd(faults) + 1_000);
  return { ...drawn, faults, safetyMillis };
}

/** The last planned time at which a fault begins or ends. */
function lastEnd(plan: FaultPlan): number {
  const windows = [...plan.outages, ...plan.downstreamOutages, ...plan.stuckJoiners, ...plan.deploys];
  const loop = plan.crashLoop;
  return Math.max(
    0,
    ...windows.map(({ at, millis }) => at + millis),
    ...plan.tampering.map(({ at, repairAfterMillis }) => at + repairAfterMillis),
    ...plan.duplicates.map(({ at }) => at + 30_000),
    loop === undefined ? 0 : loop.at + loop.times * (loop.livesMillis + CRASH_LOOP_MILLIS),
  );
}

/** From one start of a crashing version to its next, besides its life: start, join, crash, restart. */
export const CRASH_LOOP_MILLIS = 3_000;
