/** The actions behind the page's buttons. Pure: parses a request and reports what is wrong with it. */
import { z } from "zod";
import { CommandError } from "../../errors.ts";

/** Each action resolves with one sentence about its outcome, or throws a CommandError with the reason. */
export interface FleetActions {
  split(percent: number): Promise<string>;
  scale(tasks: number): Promise<string>;
  kill(workerId: string): Promise<string>;
}

export type Action =
  | { readonly kind: "split"; readonly percent: number }
  | { readonly kind: "scale"; readonly tasks: number }
  | { readonly kind: "kill"; readonly worker: string };

export const MAX_PERCENT = 400;
export const MAX_TASKS = 50;

const whole = (least: number, most: number, what: string) => {
  const error = `${what}: give a whole number from ${least} to ${most}`;
  return z.number({ error }).int(error).min(least, error).max(most, error);
};

const ACTIONS = {
  split: z.object({ percent: whole(1, MAX_PERCENT, "per cent") }),
  scale: z.object({ tasks: whole(0, MAX_TASKS, "tasks") }),
  kill: z.object({ worker: z.string({ error: "worker: choose one" }).min(1, "worker: choose one").max(128) }),
};

const isKind = (kind: string): kind is Action["kind"] => Object.hasOwn(ACTIONS, kind);

/** Undefined: there is no such action. Throws a CommandError if the body is invalid. */
export function parseAction(kind: string, body: string): Action | undefined {
  if (!isKind(kind)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new CommandError("the request's body is no JSON", 2);
  }
  const parsed = ACTIONS[kind].safeParse(value);
  if (!parsed.success) throw new CommandError(parsed.error.issues[0]?.message ?? "this does not fit", 2);
  return { kind, ...parsed.data } as Action;
}

export function perform(actions: FleetActions, order: Action): Promise<string> {
  if (order.kind === "split") return actions.split(order.percent);
  if (order.kind === "scale") return actions.scale(order.tasks);
  return actions.kill(order.worker);
}

export const actionText = (order: Action, nameOf: (id: string) => string): string => {
  if (order.kind === "split") return `asked for ${order.percent} % more shards`;
  if (order.kind === "scale") return `asked for ${order.tasks} consumer tasks`;
  return `asked for kill -9 of ${nameOf(order.worker)}`;
};
