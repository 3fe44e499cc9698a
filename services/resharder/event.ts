/**
 * The Lambda function's input: one of the state machine's four actions, or a reshard requested by hand. Any
 * other event is refused with one line.
 */
import { flag, InvalidInput, MAX_SHARDS, MAX_TASKS, objectOf, shown, wholeNumber } from "./input.ts";

/** The fields of `plan`'s answer that the other actions need. */
export interface PlanReference {
  readonly targetShards: number | undefined;
  readonly targetTasks: number | undefined;
  readonly direction: "split" | "merge" | undefined;
  readonly openShards: number;
  readonly workers: number;
  readonly startedAtMillis: number;
}

export interface RoundsBefore {
  readonly round: number;
  readonly splits: number;
  readonly merges: number;
  readonly updates: number;
}

export type Command =
  | { readonly action: "plan"; readonly input: unknown }
  | {
      readonly action: "reshard";
      readonly targetShards: number | undefined;
      readonly force: boolean;
      readonly plan: PlanReference | undefined;
      /** Undefined: the first round of a call by hand. */
      readonly previous: RoundsBefore | undefined;
    }
  | {
      readonly action: "checkOwned" | "checkConverged";
      readonly plan: PlanReference;
      readonly previous: RoundsBefore;
    };

const EXAMPLE = 'for example {"targetShards":30}';

/** @throws InvalidInput */
export function parseEvent(event: unknown): Command {
  const {
    action = "reshard",
    input,
    targetShards,
    force,
    plan,
    previous,
  } = objectOf("the event", event, EXAMPLE);
  switch (action) {
    case "plan":
      return { action, input };
    case "checkOwned":
    case "checkConverged":
      return { action, plan: planOf(plan), previous: roundsOf(previous) };
    case "reshard":
      return {
        action,
        targetShards: wholeNumber("targetShards", targetShards, 1, MAX_SHARDS),
        force: flag("force", force),
        plan: plan === undefined ? undefined : planOf(plan),
        previous: previous === undefined ? undefined : roundsOf(previous),
      };
    default:
      throw new InvalidInput(
        `unknown action ${shown(action)}; expected plan, reshard, checkOwned or checkConverged`,
      );
  }
}

function planOf(value: unknown): PlanReference {
  const plan = objectOf("plan", value, "as the action plan answered it");
  const { direction } = plan;
  if (direction !== undefined && direction !== null && direction !== "split" && direction !== "merge")
    throw new InvalidInput(`plan.direction is ${shown(direction)}; expected split, merge or none`);
  return {
    targetShards: wholeNumber("plan.targetShards", plan.targetShards, 1, MAX_SHARDS),
    targetTasks: wholeNumber("plan.targetTasks", plan.targetTasks, 0, MAX_TASKS),
    direction: direction ?? undefined,
    openShards: count("plan.openShards", plan.openShards),
    workers: count("plan.workers", plan.workers),
    startedAtMillis: count("plan.startedAtMillis", plan.startedAtMillis),
  };
}

function roundsOf(value: unknown): RoundsBefore {
  const { round, splits, merges, updates } = objectOf("previous", value, "as the round before answered it");
  return {
    round: count("previous.round", round),
    splits: count("previous.splits", splits ?? 0),
    merges: count("previous.merges", merges ?? 0),
    updates: count("previous.updates", updates ?? 0),
  };
}

function count(name: string, value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidInput(`${name} is ${shown(value)}; expected a whole number, as the resharder answered it`);
}
