/**
 * A seed's whole run, drawn before it starts and printed with it: fleet, stream, options, faults and the
 * schedule. All that a run does follows from this and from the seed's prngs.
 */
import { DEFAULT_ASSIGNS_FROM } from "../../src/core/assignments.ts";
import { drawFaults, type FaultKind, type FaultPlan, NO_FAULT_PLAN } from "./faults/plan.ts";
import {
  drawHandlerProfile,
  drawJavaShifts,
  drawLargeFleet,
  type HandlerProfile,
  PLAIN_HANDLER,
} from "./handler-profile.ts";
import type { FaultRates } from "./world/network.ts";
import { NO_FAULTS } from "./world/network.ts";
import { Prng } from "./world/prng.ts";

/**
 * planned: only joins, stops and reshards, so no record may be processed twice. crashes: processes also die
 * or freeze. everything: calls also fail.
 */
export type Profile = "planned" | "crashes" | "everything";

export type CapRule =
  | { readonly kind: "none" }
  | { readonly kind: "number"; readonly limit: number }
  /** min(limit, ceil(shards / workers)) */
  | { readonly kind: "formula"; readonly limit: number };

export type Action =
  | { readonly kind: "join" }
  | { readonly kind: "stop" }
  | { readonly kind: "crash"; readonly restartAfterMillis: number | undefined }
  | { readonly kind: "pause"; readonly millis: number }
  | { readonly kind: "partition"; readonly millis: number; readonly service: "store" | "stream" | "both" }
  | { readonly kind: "burst"; readonly millis: number; readonly rates: FaultRates }
  | { readonly kind: "split"; readonly count: number; readonly wake: boolean }
  | { readonly kind: "merge" }
  | { readonly kind: "step-wall-clock"; readonly millis: number };

/** `who`: selects one of the workers or open shards of that time (0 to 1 through the list). */
export interface Scheduled {
  readonly at: number;
  readonly who: number;
  readonly action: Action;
}

/**
 * The generations of draws. 1: all seeds from before 2026-11-26. 2: also handler profiles and large fleets.
 * 3: also the kinds of faults of `faults/plan.ts`. 4: also fleets whose leader assigns the leases.
 */
export type Draws = 1 | 2 | 3 | 4;

/** Where an application without leases begins. A time is virtual. */
export type InitialPosition = "TRIM_HORIZON" | "LATEST" | { readonly atMillis: number };

export interface Swarm extends HandlerProfile {
  readonly seed: number;
  readonly profile: Profile;
  readonly workers: number;
  /** The first worker starts at this time, the other initial workers within `startSpreadMillis` after it. */
  readonly startAtMillis: number;
  readonly startSpreadMillis: number;
  readonly shards: number;
  /** Splits and merges before any worker starts. */
  readonly earlierReshards: number;
  /** The stream no longer lists the closed shards of `earlierReshards`. */
  readonly trimmed: boolean;
  /** Lease rows that a crashed fleet left behind, owned by workers that no longer exist. */
  readonly orphanedLeases: boolean;
  readonly cap: CapRule;
  readonly steals: boolean;
  readonly failoverTimeMillis: number;
  readonly shardSyncIntervalMillis: number;
  readonly leaseRenewal: "worker" | "lease";
  readonly checkpointIntervalMillis: number;
  readonly idleTimeBetweenReadsMillis: number;
  readonly maxRecords: number;
  readonly initialPosition: InitialPosition;
  readonly handlerMillis: { readonly low: number; readonly high: number };
  /** Share of batches that throw (once; the retry works). */
  readonly handlerFailures: number;
  readonly keys: number;
  readonly putsPerSecond: number;
  readonly driftPercent: number;
  readonly wallClocksHoursOff: boolean;
  readonly latencyMillis: { readonly low: number; readonly high: number };
  readonly timeoutMillis: number;
  readonly stalenessMillis: number;
  /** A scan of the table reads it in so many parts, one after another. */
  readonly scanSegments: number;
  readonly rates: FaultRates;
  readonly iteratorLifeMillis: number;
  readonly namesChildren: boolean;
  readonly endsWithRecords: boolean;
  readonly stopBudgetMillis: number;
  readonly safetyMillis: number;
  /** Workers × shards from which on the leader assigns. */
  readonly assignsFrom: number;
  readonly schedule: readonly Scheduled[];
  readonly faults: FaultPlan;
}

/**
 * Later draws never change earlier ones: each generation has a prng of its own.
 * @param only of the third generation: only this kind of fault and no other
 */
export function drawSwarm(seed: number, draws: Draws = 4, only?: FaultKind): Swarm {
  const first = drawFirst(seed, only === undefined ? undefined : "planned");
  if (draws === 1) return { ...first, ...PLAIN_HANDLER };
  const prng = new Prng(seed).fork("second draws");
  const large = drawLargeFleet(prng.fork("crowd"));
  const fleet = large ? { workers: large.workers, shards: Math.max(first.shards, large.shards) } : {};
  const handlerProfile = drawHandlerProfile(prng.fork("habits"));
  const second = { ...first, ...fleet, ...handlerProfile, ...drawJava(prng.fork("java"), first) };
  if (draws === 2) return second;
  const base = only === undefined ? second : { ...second, ...PLAIN_HANDLER, handlerFailures: 0 };
  const third = drawFaults(new Prng(seed).fork("third draws"), base, only);
  return draws === 3 ? third : { ...third, ...drawAssignment(new Prng(seed).fork("fourth draws"), third) };
}

/** The leader of this fleet assigns, at least for a time. */
export const mayAssign = ({ assignsFrom }: Swarm): boolean => assignsFrom < DEFAULT_ASSIGNS_FROM;

/** Small fleets that work like very large ones, or change between the two ways while they run. */
function drawAssignment(prng: Prng, { workers, shards }: Swarm): Partial<Swarm> {
  if (!prng.chance(0.3)) return {};
  return {
    assignsFrom: prng.pick([0, 0, 0.7 * workers * shards]),
    workers: prng.chance(0.5) ? Math.max(workers, prng.integer(4, 15)) : workers,
  };
}

type FirstDraws = Omit<Swarm, keyof HandlerProfile>;

/**
 * Java shows that it lives lease by lease, and next to it the engine must do so too. Java steals without
 * asking, so no run with it is "planned".
 */
function drawJava(prng: Prng, first: FirstDraws): Partial<Swarm> {
  if (first.profile === "planned" || first.initialPosition === "LATEST") return {};
  const javaShifts = drawJavaShifts(prng, first.safetyMillis);
  return javaShifts.length === 0 ? {} : { javaShifts, leaseRenewal: "lease" };
}

function drawFirst(seed: number, forced: Profile | undefined): FirstDraws {
  const prng = new Prng(seed).fork("swarm");
  const picked = prng.pick<Profile>(["planned", "planned", "crashes", "everything", "everything"]);
  const profile = forced ?? picked;
  const faulty = profile === "everything";
  const workers = prng.integer(1, prng.chance(0.3) ? 8 : 5);
  const shards = prng.integer(1, prng.chance(0.3) ? 24 : 10);
  const failoverTimeMillis = prng.pick([2_000, 4_000, 4_000, 10_000]);
  const safetyMillis = prng.integer(10, 40) * 1_000;
  const earlierReshards = prng.chance(0.3) ? prng.integer(1, 4) : 0;
  const slowHandler = prng.chance(0.2);
  return {
    seed,
    profile,
    workers,
    startAtMillis: 0,
    startSpreadMillis: prng.pick([0, 100, 3_000]),
    shards,
    earlierReshards,
    trimmed: earlierReshards > 0 && prng.chance(0.5),
    orphanedLeases: prng.chance(0.15),
    cap: drawCap(prng, shards, workers),
    steals: prng.chance(0.85),
    failoverTimeMillis,
    shardSyncIntervalMillis: prng.pick([1_000, 5_000, 5_000]),
    leaseRenewal: prng.chance(0.75) ? "worker" : "lease",
    checkpointIntervalMillis: prng.pick([0, 1_000, 5_000]),
    idleTimeBetweenReadsMillis: prng.pick([300, 1_000, 1_000]),
    maxRecords: prng.pick([10, 100, 10_000]),
    initialPosition: prng.chance(0.9) ? "TRIM_HORIZON" : "LATEST",
    handlerMillis: slowHandler ? { low: 50, high: 2_500 } : { low: 0, high: prng.pick([0, 20, 200]) },
    handlerFailures: prng.chance(0.3) ? 0.05 : 0,
    keys: prng.integer(1, 3 * shards),
    putsPerSecond: prng.integer(2, 20),
    driftPercent: prng.pick([0, 0.01, 1, 3]),
    wallClocksHoursOff: prng.chance(0.5),
    latencyMillis: prng.pick([
      { low: 1, high: 5 },
      { low: 2, high: 40 },
      { low: 5, high: 150 },
    ]),
    timeoutMillis: prng.pick([1_000, 3_000]),
    stalenessMillis: prng.pick([0, 20, 300, 1_000]),
    scanSegments: prng.pick([1, 2, 5]),
    rates: faulty ? drawRates(prng, 0.03) : NO_FAULTS,
    iteratorLifeMillis: prng.pick([300_000, 300_000, 8_000]),
    namesChildren: prng.chance(0.7),
    endsWithRecords: prng.chance(0.5),
    stopBudgetMillis: 30_000,
    safetyMillis,
    schedule: drawSchedule(prng.fork("schedule"), profile, safetyMillis, failoverTimeMillis),
    assignsFrom: DEFAULT_ASSIGNS_FROM,
    faults: NO_FAULT_PLAN,
  };
}

function drawCap(prng: Prng, shards: number, workers: number): CapRule {
  const kind = prng.pick(["none", "none", "number", "formula", "formula"] as const);
  if (kind === "none") return { kind };
  if (kind === "formula") return { kind, limit: prng.pick([10, 100]) };
  return { kind, limit: Math.max(1, Math.ceil(shards / workers) + prng.integer(-1, 4)) };
}

/** Each kind of fault is present or absent: a run with only one kind finds what a mixture would hide. */
function drawRates(prng: Prng, most: number): FaultRates {
  const rate = () => (prng.chance(0.5) ? prng.between(0, most) : 0);
  return { throttle: rate(), fail: rate(), lostAnswer: rate(), slow: rate() };
}

/** In some runs the whole schedule happens within this time. */
const LARGE_FLEET_MILLIS = 1_500;

function drawSchedule(
  prng: Prng,
  profile: Profile,
  safetyMillis: number,
  failoverMillis: number,
): Scheduled[] {
  const kinds: Action["kind"][] = ["join", "stop", "split", "split", "merge", "step-wall-clock"];
  if (profile !== "planned") kinds.push("crash", "crash", "pause", "pause");
  if (profile === "everything") kinds.push("partition", "partition", "burst");
  const count = prng.integer(0, 8);
  const isLarge = prng.chance(0.3) ? prng.between(0, safetyMillis - LARGE_FLEET_MILLIS) : undefined;
  return Array.from({ length: count }, () => {
    const at =
      isLarge === undefined ? prng.between(0, safetyMillis) : isLarge + prng.between(0, LARGE_FLEET_MILLIS);
    return { at, who: prng.next(), action: drawAction(prng, prng.pick(kinds), failoverMillis) };
  }).toSorted((a, b) => a.at - b.at);
}

function drawAction(prng: Prng, kind: Action["kind"], failoverMillis: number): Action {
  // Shorter and longer than it takes to be marked dead.
  const millis = failoverMillis * prng.pick([0.3, 0.9, 1.1, 2.5]);
  switch (kind) {
    case "crash":
      return {
        kind,
        restartAfterMillis: prng.chance(0.6) ? prng.between(50, 2 * failoverMillis) : undefined,
      };
    case "pause":
      return { kind, millis };
    case "partition":
      return { kind, millis, service: prng.pick(["store", "store", "stream", "both"] as const) };
    case "burst":
      return { kind, millis, rates: drawRates(prng, 0.6) };
    case "split":
      return { kind, count: prng.pick([1, 1, 2, 5]), wake: prng.chance(0.5) };
    case "step-wall-clock":
      return { kind, millis: prng.pick([3_600_000, -3_600_000, 60_000, -500]) };
    default:
      return { kind };
  }
}

/** Describes what the seed drew: one line for each setting and each scheduled action. */
export function describeSwarm(swarm: Swarm): string {
  const { schedule, faults, ...settings } = swarm;
  const value = (setting: unknown) =>
    typeof setting === "object" ? JSON.stringify(setting).replaceAll('"', "") : String(setting);
  const lines = Object.entries(settings).map(([name, setting]) => `  ${name} ${value(setting)}`);
  const actions = schedule.map(
    ({ at, who, action }) => `  ${at.toFixed(0).padStart(6)} ms  who ${who.toFixed(2)}  ${value(action)}`,
  );
  const planned = Object.entries(faults)
    .filter(([, setting]) => JSON.stringify(setting) !== "[]" && setting !== undefined)
    .map(([name, setting]) => `  faults.${name} ${JSON.stringify(setting)}`);
  return [...lines, ...actions, ...planned].join("\n");
}
