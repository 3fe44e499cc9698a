/**
 * What the handlers, the stream and the size of a run's fleet are like beyond the first generation of draws. Drawn
 * from a stream of its own, so that what a seed drew before is still what it draws: `--draws 1` replays it without.
 */
import type { Prng } from "./world/prng.ts";

export interface HandlerProfile {
  readonly checkpointMode: "auto" | "manual";
  /** Manual: the share of calls that checkpoint a record on their way, their end, and something later (or not at all). */
  readonly checkpoints: { readonly onTheWay: number; readonly atTheEnd: number; readonly late: number };
  /** Manual, in `shutdownRequested`: the last record of a call that ended well; or no record at all, which is for the engine to fill in. */
  readonly checkpointsAtShutdown: "never" | "finished" | "unsaid";
  readonly onError: "stop" | "skip" | "deadLetter";
  /** One record in so many is sick: no call that has it ends well. 0: none is. */
  readonly poisonOneIn: number;
  /** ignores: the call runs on although its signal aborted, and ends well when nobody waits any more. */
  readonly poisonFailure: "throws" | "hangs" | "ignores";
  /** After so many calls a sick record is well. */
  readonly poisonCalls: number;
  /** How often `deadLetter` fails for a record before it takes it. */
  readonly deadLetterFailures: number;
  /** When the faults stop. restart: sick records are well, and whoever has a halted shard is replaced. none: what is halted stays so. */
  readonly remedy: "restart" | "none";
  readonly processTimeoutMillis: number | undefined;
  /** Share of reads that find nothing on their way to records. */
  readonly emptyReads: number;
  readonly javaShifts: readonly JavaShift[];
}

export const PLAIN_HANDLER: HandlerProfile = {
  checkpointMode: "auto",
  checkpoints: { onTheWay: 0, atTheEnd: 0, late: 0 },
  checkpointsAtShutdown: "never",
  onError: "stop",
  poisonOneIn: 0,
  poisonFailure: "throws",
  poisonCalls: 0,
  deadLetterFailures: 0,
  remedy: "none",
  processTimeoutMillis: undefined,
  emptyReads: 0,
  javaShifts: [],
};

/** Each kind is there or not: a run with one kind only finds what a mixture would hide. */
export function drawHandlerProfile(prng: Prng): HandlerProfile {
  const failing = prng.chance(0.4);
  const timed = prng.chance(0.25);
  return {
    ...PLAIN_HANDLER,
    ...(prng.chance(0.35) ? drawCheckpoints(prng.fork("checkpoints")) : {}),
    ...(failing ? drawPoison(prng.fork("sickness"), timed) : {}),
    processTimeoutMillis: timed ? prng.pick([400, 1_500]) : undefined,
    emptyReads: prng.chance(0.2) ? prng.pick([0.1, 0.5]) : 0,
  };
}

function drawCheckpoints(prng: Prng): Partial<HandlerProfile> {
  const share = () => prng.pick([0, 0.1, 0.5, 1]);
  return {
    checkpointMode: "manual",
    checkpoints: { onTheWay: share(), atTheEnd: share(), late: share() },
    checkpointsAtShutdown: prng.pick(["never", "finished", "unsaid"] as const),
  };
}

function drawPoison(prng: Prng, timed: boolean): Partial<HandlerProfile> {
  const poisonFailure = timed ? prng.pick(["throws", "hangs", "ignores"] as const) : "throws";
  return {
    onError: prng.pick(["stop", "stop", "skip", "deadLetter"] as const),
    poisonOneIn: prng.pick([20, 60, 200]),
    poisonFailure,
    poisonCalls: prng.pick([2, 6, 12, Number.POSITIVE_INFINITY]),
    deadLetterFailures: prng.pick([0, 0, 2, 4]),
    // Who hangs in every call of every sick record would need hours for them.
    remedy: poisonFailure !== "throws" || prng.chance(0.5) ? "restart" : "none",
  };
}

export interface LargeFleet {
  readonly workers: number;
  readonly shards: number;
}

/** A small share of runs has more members than a fleet row holds. */
export function drawLargeFleet(prng: Prng): LargeFleet | undefined {
  return prng.chance(0.06) ? { workers: prng.integer(14, 20), shards: prng.integer(10, 30) } : undefined;
}

export interface JavaShift {
  readonly from: number;
  readonly millis: number;
}

/** Workers of another make that come and go while there are faults, in a small share of runs. */
export function drawJavaShifts(prng: Prng, safetyMillis: number): readonly JavaShift[] {
  if (!prng.chance(0.15)) return [];
  return Array.from({ length: prng.integer(1, 2) }, () => {
    const from = prng.between(0, safetyMillis / 2);
    return { from, millis: prng.between(safetyMillis / 4, safetyMillis - from) };
  });
}
