/**
 * The handler profile, the stream and the fleet size of a run, beyond the first generation of draws. Drawn
 * from a prng of their own, so that earlier draws of a seed do not change: `--draws 1` replays the seed
 * without them.
 */
import type { Prng } from "./world/prng.ts";

export interface HandlerProfile {
  readonly checkpointMode: "auto" | "manual";
  /**
   * Manual: the share of calls that checkpoint a record in the middle of the batch, its end, and a record
   * later (or not at all).
   */
  readonly checkpoints: { readonly onTheWay: number; readonly atTheEnd: number; readonly late: number };
  /**
   * Manual, in `shutdownRequested`: checkpoint the last record of a call that succeeded ("finished"), or name
   * no record and leave it to the engine ("unsaid").
   */
  readonly checkpointsAtShutdown: "never" | "finished" | "unsaid";
  readonly onError: "stop" | "skip" | "deadLetter";
  /** One record in so many is a poison record: no call that includes it succeeds. 0: none. */
  readonly poisonOneIn: number;
  /**
   * ignores: the call continues after its signal aborts, and succeeds when the engine no longer waits for it.
   */
  readonly poisonFailure: "throws" | "hangs" | "ignores";
  /** After so many calls a poison record is repaired. */
  readonly poisonCalls: number;
  /** How often `deadLetter` fails for a record before it takes it. */
  readonly deadLetterFailures: number;
  /**
   * When the faults stop. restart: poison records are repaired, and workers with a halted shard are replaced.
   * none: what is halted stays halted.
   */
  readonly remedy: "restart" | "none";
  readonly processTimeoutMillis: number | undefined;
  /** Share of reads that return nothing although records follow. */
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

/** Each kind is present or absent: a run with only one kind finds what a mixture would hide. */
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
    // A handler that hangs in every call of every poison record would need hours for them.
    remedy: poisonFailure !== "throws" || prng.chance(0.5) ? "restart" : "none",
  };
}

export interface LargeFleet {
  readonly workers: number;
  readonly shards: number;
}

/** A small share of runs has more members than fit in one fleet row. */
export function drawLargeFleet(prng: Prng): LargeFleet | undefined {
  return prng.chance(0.06) ? { workers: prng.integer(14, 20), shards: prng.integer(10, 30) } : undefined;
}

export interface JavaShift {
  readonly from: number;
  readonly millis: number;
}

/** Java workers that start and stop while there are faults, in a small share of runs. */
export function drawJavaShifts(prng: Prng, safetyMillis: number): readonly JavaShift[] {
  if (!prng.chance(0.15)) return [];
  return Array.from({ length: prng.integer(1, 2) }, () => {
    const from = prng.between(0, safetyMillis / 2);
    return { from, millis: prng.between(safetyMillis / 4, safetyMillis - from) };
  });
}
