/**
 * The resharder's Lambda handler, with its dependencies passed in. The state machine calls its four actions
 * in sequence. A person or the command line may call `reshard` directly with `{"targetShards":30}`, and again
 * with `previous` while `done` is false.
 */

import { holes } from "../../src/core/hash-range.ts";
import { checkConverged, checkOwned, type FleetVerdict } from "./check-fleet.ts";
import { type Command, parseEvent } from "./event.ts";
import { InvalidInput, parseRequest, type RebalanceRequest } from "./input.ts";
import { plannedFromListing, retried } from "./patience.ts";
import { describeStep, performReshard, type ReshardDeps, underWay } from "./perform-reshard.ts";
import { inOneCall, planReshard, type ReshardStep } from "./plan-reshard.ts";

export interface PlanResult {
  readonly accepted: boolean;
  /** The reason for refusal; empty when accepted. */
  readonly problem: string;
  readonly errorName: string;
  readonly targetShards: number | null;
  readonly targetTasks: number | null;
  readonly openShards: number;
  readonly direction: ReshardStep["kind"] | null;
  readonly stepCount: number;
  /**
   * The count that one UpdateShardCount call reaches first, in place of single steps. Null: single steps
   * only.
   */
  readonly updateShardCountTo: number | null;
  /** The first `MAX_STEPS_SHOWN` steps. */
  readonly steps: readonly { readonly action: string; readonly reason: string }[];
  /** Workers that owned open shards at planning time. */
  readonly workers: number;
  readonly startedAtMillis: number;
}

export interface ReshardResult {
  readonly done: boolean;
  readonly round: number;
  readonly splits: number;
  readonly merges: number;
  /** Number of UpdateShardCount calls, each in place of many splits or merges. */
  readonly updates: number;
  readonly openShards: number;
  readonly elapsedMillis: number;
}

export interface CheckResult extends Omit<FleetVerdict, "problem"> {
  readonly round: number;
  readonly problem: string;
  readonly elapsedMillis: number;
}

/**
 * `previous`: the answer of the previous round. `plan`: the answer of `plan`. `parseEvent` validates both.
 */
export type ResharderEvent =
  | { readonly action: "plan"; readonly input: unknown }
  | {
      readonly action?: "reshard";
      readonly targetShards?: number | null;
      readonly force?: boolean;
      readonly plan?: PlanResult;
      readonly previous?: Pick<ReshardResult, "round"> & Partial<Pick<ReshardResult, "splits" | "merges">>;
    }
  | {
      readonly action: "checkOwned" | "checkConverged";
      readonly plan: PlanResult;
      readonly previous: { readonly round: number };
    };

export interface RemainingTime {
  getRemainingTimeInMillis(): number;
}

/** A state's payload is limited to 256 KiB, so a long plan is truncated. */
const MAX_STEPS_SHOWN = 100;

export function makeHandler(deps: ReshardDeps) {
  return async (
    event: ResharderEvent,
    context: RemainingTime,
  ): Promise<PlanResult | ReshardResult | CheckResult> => {
    const remainingMillis = () => context.getRemainingTimeInMillis();
    const command = parseEvent(event);
    switch (command.action) {
      case "plan":
        return plan(command.input, deps, remainingMillis);
      case "checkOwned":
      case "checkConverged":
        return check(command, deps, remainingMillis);
      case "reshard":
        return reshard(command, deps, remainingMillis);
    }
  };
}

async function plan(input: unknown, deps: ReshardDeps, remainingMillis: () => number): Promise<PlanResult> {
  const startedAtMillis = deps.clock.wallMillis();
  const refused = (error: Error): PlanResult => ({
    ...NOTHING_PLANNED,
    accepted: false,
    problem: error.message,
    errorName: error.name,
    startedAtMillis,
  });
  let request: RebalanceRequest;
  try {
    request = parseRequest(input);
  } catch (error) {
    if (error instanceof InvalidInput) return refused(error);
    throw error;
  }
  const { force, targetShards } = request;
  const status = () => retried(() => deps.stream.status(), deps, remainingMillis);
  if (!force && targetShards !== undefined && (await status()) === "updating") return refused(underWay());
  const { open, steps, to } = await plannedFromListing(
    () => deps.stream.openShards(),
    (open) => ({
      open,
      steps: planReshard(open, targetShards ?? open.length),
      to: inOneCall(open, targetShards ?? open.length),
    }),
    deps,
    remainingMillis,
  );
  const leases = await retried(() => deps.fleet.leaseOwners(), deps, remainingMillis);
  const { owners } = checkOwned(
    open.map(({ shardId }) => shardId),
    leases,
  );
  return {
    accepted: true,
    problem: "",
    errorName: "",
    targetShards: targetShards ?? null,
    targetTasks: request.targetTasks ?? null,
    openShards: open.length,
    direction: steps[0]?.kind ?? null,
    stepCount: steps.length,
    updateShardCountTo: to ?? null,
    steps: steps.slice(0, MAX_STEPS_SHOWN).map(describeStep),
    workers: Object.keys(owners).length,
    startedAtMillis,
  };
}

const NOTHING_PLANNED = {
  targetShards: null,
  targetTasks: null,
  openShards: 0,
  direction: null,
  stepCount: 0,
  updateShardCountTo: null,
  steps: [],
  workers: 0,
};

async function reshard(
  { targetShards, force, plan, previous }: Extract<Command, { action: "reshard" }>,
  deps: ReshardDeps,
  remainingMillis: () => number,
): Promise<ReshardResult> {
  const before = previous ?? { round: 0, splits: 0, merges: 0, updates: 0 };
  const startedAtMillis = plan?.startedAtMillis ?? deps.clock.wallMillis();
  const finish = (outcome: Omit<ReshardResult, "round" | "elapsedMillis">): ReshardResult => ({
    done: outcome.done,
    round: before.round + 1,
    splits: before.splits + outcome.splits,
    merges: before.merges + outcome.merges,
    updates: before.updates + outcome.updates,
    openShards: outcome.openShards,
    elapsedMillis: deps.clock.wallMillis() - startedAtMillis,
  });
  const target = plan?.targetShards ?? targetShards;
  if (target === undefined) {
    if (plan === undefined)
      throw new InvalidInput('targetShards is missing; expected for example {"targetShards":30}');
    return finish({ done: true, splits: 0, merges: 0, updates: 0, openShards: plan.openShards });
  }
  const takeOver = force || previous !== undefined;
  return finish(
    await performReshard(
      { targetShards: target, direction: plan?.direction, takeOver },
      deps,
      remainingMillis,
    ),
  );
}

async function check(
  { action, plan, previous }: Extract<Command, { action: "checkOwned" | "checkConverged" }>,
  deps: ReshardDeps,
  remainingMillis: () => number,
): Promise<CheckResult> {
  const open = await retried(() => deps.stream.openShards(), deps, remainingMillis);
  const leases = await retried(() => deps.fleet.leaseOwners(), deps, remainingMillis);
  const openShardIds = open.map(({ shardId }) => shardId);
  // A lagging listing leaves out exactly the children that this check waits for.
  const complete = holes(open.map(({ hashRange }) => hashRange)).length === 0;
  // There is nothing to wait for if no worker runs and none is requested, or if the tasks are not started
  // yet.
  const noWorkers = plan.workers === 0 && (action === "checkOwned" || plan.targetTasks === undefined);
  const verdict =
    action === "checkOwned"
      ? checkOwned(openShardIds, leases)
      : checkConverged(openShardIds, leases, plan.targetTasks);
  return {
    ...verdict,
    done: complete && (verdict.done || noWorkers),
    problem: complete ? (verdict.problem ?? "") : "the listing of the stream's shards is incomplete",
    round: previous.round + 1,
    elapsedMillis: deps.clock.wallMillis() - plan.startedAtMillis,
  };
}
