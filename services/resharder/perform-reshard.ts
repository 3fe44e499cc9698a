/**
 * Performs a reshard one step at a time, each planned from the shards as they are now. There is no state to lose:
 * after a crash between any two calls, or a second run beside the first, the next look decides.
 */
import type { Clock } from "../shared/clock.ts";
import { backoffMillis, type Random } from "../shared/random.ts";
import { nextStep, type ReshardStep } from "./plan-reshard.ts";
import { type Fleet, type ReshardableStream, StreamRefusal } from "./ports.ts";

export interface ReshardDeps {
  readonly stream: ReshardableStream;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly random: Random;
  log(fields: object, message: string): void;
}

export interface ReshardOrder {
  readonly targetShards: number;
  /** What the plan consists of. A step of the other kind means that somebody else is resharding to another count. */
  readonly direction: ReshardStep["kind"] | undefined;
  /** Go on although the stream is not ACTIVE at the start: it is our own step of a round before, or the caller insists. */
  readonly takeOver: boolean;
}

export interface ReshardOutcome {
  readonly done: boolean;
  readonly splits: number;
  readonly merges: number;
  readonly openShards: number;
}

/** Somebody else changed the stream in the other direction meanwhile. */
export class StalePlan extends Error {
  override readonly name = "StalePlan";
}

/** Another reshard is under way, and the caller did not insist. */
export class ReshardUnderWay extends Error {
  override readonly name = "ReshardUnderWay";
}

/** A step is not begun with less time than this: a split call answers within seconds, the wait for ACTIVE may be left to the next round. */
const LEAST_TIME_MILLIS = 10_000;
/** Refusals in a row before giving up: with full jitter up to 5 s each that is about half a minute of a stream that is ACTIVE and refuses. */
const MOST_REFUSALS = 12;

export async function performReshard(
  order: ReshardOrder,
  deps: ReshardDeps,
  remainingMillis: () => number,
): Promise<ReshardOutcome> {
  const { stream, fleet, log } = deps;
  const counts = { splits: 0, merges: 0 };
  let refusals = 0;
  let stepOpen = false;
  if (!order.takeOver && (await stream.status()) === "updating") throw underWay();
  for (;;) {
    if (!(await becomesActive(deps, remainingMillis)))
      return { done: false, ...counts, openShards: (await stream.openShards()).length };
    const [open] = await Promise.all([stream.openShards(), stepOpen && wake(fleet, log)]);
    stepOpen = false;
    const step = nextStep(open, order.targetShards);
    if (step === undefined) {
      // A run that crashed after its last split may not have woken the fleet: that is made up for here.
      if (counts.splits + counts.merges === 0) await wake(fleet, log);
      return { done: true, ...counts, openShards: open.length };
    }
    if (order.direction !== undefined && step.kind !== order.direction) {
      throw new StalePlan(
        `the plan was to ${order.direction} up to ${order.targetShards} open shards, but there are ${open.length} now: another reshard changed the stream; look at it with verify-stream and start again`,
      );
    }
    if (remainingMillis() < LEAST_TIME_MILLIS) return { done: false, ...counts, openShards: open.length };
    try {
      await performStep(stream, step);
      refusals = 0;
      stepOpen = true;
      counts[step.kind === "split" ? "splits" : "merges"] += 1;
      log({ ...describeStep(step), openShards: open.length }, "reshard step");
    } catch (error) {
      if (!(error instanceof StreamRefusal) || ++refusals > MOST_REFUSALS) throw error;
      log({ problem: error.problem, refusals, error: error.message }, "reshard step refused, looking again");
      await deps.clock.sleep(backoffMillis(refusals, deps.random));
    }
  }
}

export const underWay = () =>
  new ReshardUnderWay(
    "the stream is being resharded already; wait until it is ACTIVE (verify-stream), or insist with force",
  );

/** For people and logs. */
export function describeStep(step: ReshardStep): { action: string; reason: string } {
  const name = (shardId: string | undefined) => shardId ?? "a child of this plan";
  const action =
    step.kind === "split"
      ? `split ${name(step.shard.shardId)}`
      : `merge ${name(step.lower.shardId)} and ${name(step.upper.shardId)}`;
  return { action, reason: step.reason };
}

function performStep(stream: ReshardableStream, step: ReshardStep): Promise<void> {
  // The first step of a plan from listed shards names listed shards only.
  if (step.kind === "split") return stream.split(step.shard.shardId!, step.newStartingHashKey);
  return stream.merge(step.lower.shardId!, step.upper.shardId!);
}

/** Looks often at first (a local split takes milliseconds), then once a second (on AWS it takes half a minute). */
async function becomesActive(
  { stream, clock }: ReshardDeps,
  remainingMillis: () => number,
): Promise<boolean> {
  for (
    let pauseMillis = 25;
    (await stream.status()) !== "active";
    pauseMillis = Math.min(1_000, pauseMillis * 1.5)
  ) {
    if (remainingMillis() < LEAST_TIME_MILLIS) return false;
    await clock.sleep(pauseMillis);
  }
  return true;
}

/** A fleet that is not woken finds the children itself within its shard sync interval: slower, not wrong. So it is logged only. */
async function wake(fleet: Fleet, log: ReshardDeps["log"]): Promise<void> {
  try {
    log({ outcome: await fleet.wake() }, "fleet wake-up");
  } catch (error) {
    log(
      { error: String(error) },
      "the fleet could not be woken; it will find the children at its next shard sync",
    );
  }
}
