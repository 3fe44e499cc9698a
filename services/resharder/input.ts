/** What may be asked of the resharder, and the one line that says what is wrong with a request. */

/** No stream of this stack needs more, and a typing mistake of one digit should not make thousands of shards. */
export const MAX_SHARDS = 1_000;
export const MAX_TASKS = 200;

export interface RebalanceRequest {
  readonly targetShards: number | undefined;
  readonly targetTasks: number | undefined;
  /** Go ahead although somebody else's reshard is under way. Default: false. */
  readonly force: boolean;
}

/** The request is wrong: repeating it does not help. */
export class InvalidInput extends Error {
  override readonly name = "InvalidInput";
}

const EXAMPLE = 'for example {"targetShards":30,"targetTasks":5}';

/** @throws InvalidInput with one line that names the field, the value and what was expected. */
export function parseRequest(input: unknown): RebalanceRequest {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new InvalidInput(`the input is ${shown(input)}; expected an object, ${EXAMPLE}`);
  }
  const { targetShards, targetTasks, force, ...rest } = input as Record<string, unknown>;
  const unknown = Object.keys(rest);
  if (unknown.length > 0) {
    throw new InvalidInput(
      `unknown field ${shown(unknown[0])}; expected targetShards, targetTasks or force, ${EXAMPLE}`,
    );
  }
  if (force !== undefined && typeof force !== "boolean") {
    throw new InvalidInput(`force is ${shown(force)}; expected true or false`);
  }
  return {
    targetShards: wholeNumber("targetShards", targetShards, 1, MAX_SHARDS),
    targetTasks: wholeNumber("targetTasks", targetTasks, 0, MAX_TASKS),
    force: force ?? false,
  };
}

/** For a line of a log: Step Functions takes inputs of 256 KB. */
function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

const SHOWN_CHARACTERS = 80;

function wholeNumber(name: string, value: unknown, least: number, most: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new InvalidInput(
    `${name} is ${shown(value)}; expected a whole number from ${least} to ${most}, or none to leave it as it is`,
  );
}
