/**
 * The resharder's Lambda handler with its dependencies handed in. The state machine calls its four actions in turn;
 * people and the command line may call `reshard` directly: `{"targetShards":30}`, again with `previous` while `done` is false.
 */
import { checkConverged, checkOwned, type FleetVerdict } from "./check-fleet.ts";
import { InvalidInput, parseRequest, type RebalanceRequest } from "./input.ts";
import { describeStep, performReshard, type ReshardDeps, underWay } from "./perform-reshard.ts";
import { planReshard, type ReshardStep } from "./plan-reshard.ts";

export interface PlanResult {
  readonly accepted: boolean;
  /** Why not; empty when accepted. */
  readonly problem: string;
  readonly errorName: string;
  readonly targetShards: number | null;
  readonly targetTasks: number | null;
  readonly openShards: number;
  readonly direction: ReshardStep["kind"] | null;
  readonly stepCount: number;
  /** The first `MOST_STEPS_SHOWN` of them. */
  readonly steps: readonly { readonly action: string; readonly reason: string }[];
  /** Workers that owned open shards when the plan was made. */
  readonly workers: number;
  readonly startedAtMillis: number;
}

export interface ReshardResult {
  readonly done: boolean;
  readonly round: number;
  readonly splits: number;
  readonly merges: number;
  readonly openShards: number;
  readonly elapsedMillis: number;
}

export interface CheckResult extends Omit<FleetVerdict, "problem"> {
  readonly round: number;
  readonly problem: string;
  readonly elapsedMillis: number;
}

/** `previous`: what the round before answered. `plan`: what `plan` answered. */
export type ResharderEvent =
  | { readonly action: "plan"; readonly input: unknown }
  | {
      readonly action?: "reshard";
      readonly targetShards?: number | null;
      readonly force?: boolean;
      readonly plan?: PlanResult;
      readonly previous?: Pick<ReshardResult, "round" | "splits" | "merges">;
    }
  | CheckEvent;

export interface CheckEvent {
  readonly action: "checkOwned" | "checkConverged";
  readonly plan: PlanResult;
  readonly previous: { readonly round: number };
}

export interface RemainingTime {
  getRemainingTimeInMillis(): number;
}

/** A state's payload is limited to 256 KiB: a long plan is shown in part. */
const MOST_STEPS_SHOWN = 100;

export function makeHandler(deps: ReshardDeps) {
  return async (
    event: ResharderEvent,
    context: RemainingTime,
  ): Promise<PlanResult | ReshardResult | CheckResult> => {
    const remainingMillis = () => context.getRemainingTimeInMillis();
    switch (event.action) {
      case "plan":
        return plan(event.input, deps);
      case "checkOwned":
      case "checkConverged":
        return check(event, deps);
      case "reshard":
      case undefined:
        return reshard(event, deps, remainingMillis);
      default:
        throw new InvalidInput(
          `unknown action ${JSON.stringify((event as { action: unknown }).action)}; expected plan, reshard, checkOwned or checkConverged`,
        );
    }
  };
}

async function plan(input: unknown, deps: ReshardDeps): Promise<PlanResult> {
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
  if (!request.force && request.targetShards !== undefined && (await deps.stream.status()) === "updating")
    return refused(underWay());
  const open = await deps.stream.openShards();
  const owners = checkOwned(
    open.map(({ shardId }) => shardId),
    await deps.fleet.leaseOwners(),
  ).owners;
  const steps = planReshard(open, request.targetShards ?? open.length);
  return {
    accepted: true,
    problem: "",
    errorName: "",
    targetShards: request.targetShards ?? null,
    targetTasks: request.targetTasks ?? null,
    openShards: open.length,
    direction: steps[0]?.kind ?? null,
    stepCount: steps.length,
    steps: steps.slice(0, MOST_STEPS_SHOWN).map(describeStep),
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
  steps: [],
  workers: 0,
};

async function reshard(
  event: Extract<ResharderEvent, { action?: "reshard" }>,
  deps: ReshardDeps,
  remainingMillis: () => number,
): Promise<ReshardResult> {
  const before = event.previous ?? { round: 0, splits: 0, merges: 0 };
  const startedAtMillis = event.plan?.startedAtMillis ?? deps.clock.wallMillis();
  const finish = (outcome: {
    done: boolean;
    splits: number;
    merges: number;
    openShards: number;
  }): ReshardResult => ({
    done: outcome.done,
    round: before.round + 1,
    splits: before.splits + outcome.splits,
    merges: before.merges + outcome.merges,
    openShards: outcome.openShards,
    elapsedMillis: deps.clock.wallMillis() - startedAtMillis,
  });
  const { targetShards } = parseRequest({ targetShards: event.plan?.targetShards ?? event.targetShards });
  if (targetShards === undefined) {
    if (event.plan === undefined)
      throw new InvalidInput('targetShards is missing; expected for example {"targetShards":30}');
    return finish({ done: true, splits: 0, merges: 0, openShards: event.plan.openShards });
  }
  const takeOver = event.force === true || event.previous !== undefined;
  return finish(
    await performReshard(
      { targetShards, direction: event.plan?.direction ?? undefined, takeOver },
      deps,
      remainingMillis,
    ),
  );
}

async function check({ action, plan, previous }: CheckEvent, deps: ReshardDeps): Promise<CheckResult> {
  const openShardIds = (await deps.stream.openShards()).map(({ shardId }) => shardId);
  const leases = await deps.fleet.leaseOwners();
  // Where no worker runs and none is asked for, or the tasks are yet to be started, there is nobody to wait for.
  const nobody = plan.workers === 0 && (action === "checkOwned" || plan.targetTasks === null);
  const verdict =
    action === "checkOwned"
      ? checkOwned(openShardIds, leases)
      : checkConverged(openShardIds, leases, plan.targetTasks ?? undefined);
  return {
    ...verdict,
    done: verdict.done || nobody,
    problem: verdict.problem ?? "",
    round: previous.round + 1,
    elapsedMillis: deps.clock.wallMillis() - plan.startedAtMillis,
  };
}
