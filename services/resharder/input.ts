/** Validates requests to the resharder. An invalid request produces one line that states the error. */

/** No stream of this stack needs more. The limit keeps a mistyped digit from creating thousands of shards. */
export const MAX_SHARDS = 1_000;
export const MAX_TASKS = 200;

export interface RebalanceRequest {
  readonly targetShards: number | undefined;
  readonly targetTasks: number | undefined;
  /** Continue even if another caller's reshard is in progress. Default: false. */
  readonly force: boolean;
}

/** The request is wrong: repeating it does not help. */
export class InvalidInput extends Error {
  override readonly name = "InvalidInput";
}

const EXAMPLE = 'for example {"targetShards":30,"targetTasks":5}';

/** @throws InvalidInput with one line that names the field, the value and the expected value. */
export function parseRequest(input: unknown): RebalanceRequest {
  const { targetShards, targetTasks, force, ...rest } = objectOf("the input", input, EXAMPLE);
  const unknown = Object.keys(rest);
  if (unknown.length > 0) {
    throw new InvalidInput(
      `unknown field ${shown(unknown[0])}; expected targetShards, targetTasks or force, ${EXAMPLE}`,
    );
  }
  return {
    targetShards: wholeNumber("targetShards", targetShards, 1, MAX_SHARDS),
    targetTasks: wholeNumber("targetTasks", targetTasks, 0, MAX_TASKS),
    force: flag("force", force),
  };
}

/** @throws InvalidInput when `value` is not an object. */
export function objectOf(name: string, value: unknown, example: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new InvalidInput(`${name} is ${shown(value)}; expected an object, ${example}`);
}

/** Absent and null both mean: leave the value unchanged. */
export function wholeNumber(name: string, value: unknown, least: number, most: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  // + 0 turns JSON's -0 into 0.
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most)
    return value + 0;
  throw new InvalidInput(
    `${name} is ${shown(value)}; expected a whole number from ${least} to ${most}, or none to leave it as it is`,
  );
}

export function flag(name: string, value: unknown): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? false;
  throw new InvalidInput(`${name} is ${shown(value)}; expected true or false`);
}

const MAX_SHOWN = 60;

/** Formats a value for a message: always one short line, however large or deep the value is. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "[]" : `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  const text = JSON.stringify(value.slice(0, MAX_SHOWN)).replaceAll(/[\u2028\u2029]/g, " ");
  return value.length > MAX_SHOWN ? `${text} …` : text;
}
