/**
 * Performs a reshard one call at a time. Each call is planned from the current shards, so there is no state
 * to lose: after a crash between two calls, or beside a second concurrent run, the next listing decides.
 */
import { backoffMillis } from "../../src/ports/random.ts";
import { MAX_REFUSALS, MIN_TIME_MILLIS, type PatienceDeps, plannedFromListing, retried } from "./patience.ts";
import { inOneCall, nextStep, type ReshardStep } from "./plan-reshard.ts";
import { type Fleet, Refusal, type ReshardableStream, StreamRefusal } from "./ports.ts";

export interface ReshardDeps extends PatienceDeps {
  readonly stream: ReshardableStream;
  readonly fleet: Fleet;
}

export interface ReshardOrder {
  readonly targetShards: number;
  /**
   * The direction of the plan. A step in the other direction means that another caller reshards to a
   * different count.
   */
  readonly direction: ReshardStep["kind"] | undefined;
  /**
   * Continue even if the stream is not ACTIVE at the start. Either our own call of an earlier round is in
   * progress, or the caller forced it.
   */
  readonly takeOver: boolean;
}

export interface ReshardOutcome {
  readonly done: boolean;
  /** Number of SplitShard, MergeShards and UpdateShardCount calls. */
  readonly splits: number;
  readonly merges: number;
  readonly updates: number;
  readonly openShards: number;
}

/** Meanwhile another caller changed the stream in the other direction. */
export class StalePlan extends Error {
  override readonly name = "StalePlan";
}

/** Another reshard is in progress, and the caller did not force this one. */
export class ReshardUnderWay extends Error {
  override readonly name = "ReshardUnderWay";
}

/**
 * Refusals of UpdateShardCount (limited to ten a day) before the round continues with single splits or
 * merges.
 */
const MAX_UPDATE_REFUSALS = 3;

/** One call that changes the stream. */
type Change = ReshardStep | { readonly kind: "update"; readonly from: number; readonly to: number };

const COUNT_OF = { split: "splits", merge: "merges", update: "updates" } as const;

export async function performReshard(
  order: ReshardOrder,
  deps: ReshardDeps,
  remainingMillis: () => number,
): Promise<ReshardOutcome> {
  const { stream, fleet, log } = deps;
  const counts = { splits: 0, merges: 0, updates: 0 };
  let refusals = 0;
  let updateRefusals = 0;
  let stepOpen = false;
  const status = () => retried(() => stream.status(), deps, remainingMillis);
  const list = () => stream.openShards();
  if (!order.takeOver && (await status()) === "updating") throw underWay();
  for (;;) {
    if (!(await becomesActive(status, deps, remainingMillis)))
      return { done: false, ...counts, openShards: (await list()).length };
    const planned = plannedFromListing(
      list,
      (open) => ({ open, step: nextStep(open, order.targetShards) }),
      deps,
      remainingMillis,
    );
    const [{ open, step }] = await Promise.all([planned, stepOpen && wake(fleet, log)]);
    stepOpen = false;
    if (step === undefined) {
      // A run that crashed after its last split may not have woken the fleet. This call covers that case.
      if (counts.splits + counts.merges + counts.updates === 0) await wake(fleet, log);
      return { done: true, ...counts, openShards: open.length };
    }
    if (order.direction !== undefined && step.kind !== order.direction) throw stalePlan(order, open.length);
    if (remainingMillis() < MIN_TIME_MILLIS) return { done: false, ...counts, openShards: open.length };
    const to = updateRefusals < MAX_UPDATE_REFUSALS ? inOneCall(open, order.targetShards) : undefined;
    const change: Change = to === undefined ? step : { kind: "update", from: open.length, to };
    try {
      await perform(stream, change);
      refusals = 0;
      stepOpen = true;
      counts[COUNT_OF[change.kind]] += 1;
      log({ ...describeStep(change), openShards: open.length }, "reshard step");
    } catch (error) {
      if (!(error instanceof Refusal) || ++refusals > MAX_REFUSALS) throw error;
      if (change.kind === "update" && error.problem !== "busy") updateRefusals += 1;
      log({ problem: error.problem, refusals, error: error.message }, "reshard step refused, looking again");
      await deps.clock.sleep(backoffMillis(refusals, deps.random));
    }
  }
}

const stalePlan = ({ direction, targetShards }: ReshardOrder, open: number) =>
  new StalePlan(
    `the plan was to ${direction} up to ${targetShards} open shards, but there are ${open} now: another reshard changed the stream; look at it with verify-stream and start again`,
  );

export const underWay = () =>
  new ReshardUnderWay(
    "the stream is being resharded already; wait until it is ACTIVE (verify-stream), or insist with force",
  );

/** For messages and logs. */
export function describeStep(change: Change): { action: string; reason: string } {
  const name = (shardId: string | undefined) => shardId ?? "a child of this plan";
  switch (change.kind) {
    case "split":
      return { action: `split ${name(change.shard.shardId)}`, reason: change.reason };
    case "merge":
      return {
        action: `merge ${name(change.lower.shardId)} and ${name(change.upper.shardId)}`,
        reason: change.reason,
      };
    case "update":
      return {
        action: `update the shard count from ${change.from} to ${change.to}`,
        reason: `${change.to > change.from ? "splits" : "merges"} every shard once, in one call`,
      };
  }
}

async function perform(stream: ReshardableStream, change: Change): Promise<void> {
  switch (change.kind) {
    // The first step of a plan made from a listing names only listed shards.
    case "split":
      return stream.split(change.shard.shardId!, change.newStartingHashKey);
    case "merge":
      return stream.merge(change.lower.shardId!, change.upper.shardId!);
    case "update": {
      // Acting on a complete but outdated listing (two changes old) could reverse the reshard. A stale split
      // is merely refused.
      const count = await stream.openShardCount();
      if (count !== change.from)
        throw new StreamRefusal(
          "stale",
          `${change.from} open shards are listed, and the stream's summary counts ${count}`,
        );
      return stream.updateShardCount(change.to);
    }
  }
}

/**
 * Polls often at first (a local split takes milliseconds), then once a second (on AWS a split takes half a
 * minute).
 */
async function becomesActive(
  status: () => Promise<"active" | "updating">,
  { clock }: ReshardDeps,
  remainingMillis: () => number,
): Promise<boolean> {
  for (
    let pauseMillis = 25;
    (await status()) !== "active";
    pauseMillis = Math.min(1_000, pauseMillis * 1.5)
  ) {
    if (remainingMillis() < MIN_TIME_MILLIS) return false;
    await clock.sleep(pauseMillis);
  }
  return true;
}

/**
 * A fleet that is not woken finds the children within its shard sync interval. That is slower but correct, so
 * a failure is only logged.
 */
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
