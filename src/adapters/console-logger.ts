/**
 * The default logger of a worker: warnings and errors, to the console (both to standard error).
 *
 *   2026-11-27T10:00:00.000Z WARN evenkeel: reading fails (denied): trying again until it works failures=3
 *
 * One line per message, and one console call: an error's stack is in the same call, on the lines after it.
 * For machine-readable lines, or for informational ones too, pass another logger.
 */
import { inspect } from "node:util";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";

export function consoleLogger(
  clock: Pick<Clock, "wallMillis">,
  output: Pick<Console, "warn" | "error"> = console,
): Logger {
  const text = (level: string, fields: object, message: string) =>
    lineOf(`${new Date(clock.wallMillis()).toISOString()} ${level} evenkeel: ${message}`, fields);
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: (fields, message) => output.warn(text("WARN", fields, message)),
    error: (fields, message) => output.error(text("ERROR", fields, message)),
  };
}

function lineOf(start: string, fields: object): string {
  const pairs: string[] = [];
  const stacks: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Error) stacks.push(...stacksOf(value));
    else if (value !== undefined) pairs.push(`${name}=${shown(value)}`);
  }
  return [[start, ...pairs].map(oneLine).join(" "), ...stacks].join("\n");
}

function shown(value: unknown): string {
  if (typeof value === "string" && /^[\w.:/@+-]+$/.test(value)) return value;
  if (typeof value === "string") return JSON.stringify(value);
  return inspect(value, { breakLength: Number.POSITIVE_INFINITY, compact: true, depth: 4 });
}

/** The stack of the error, and those of its causes. */
function stacksOf({ name, message, stack, cause }: Error, causes = 4): readonly string[] {
  const own = (stack ?? `${name}: ${message}`).replaceAll(TERMINAL_CONTROL, "");
  if (!(cause instanceof Error) || causes === 0) return [own];
  const [first, ...rest] = stacksOf(cause, causes - 1);
  return [own, `caused by: ${first}`, ...rest];
}

/**
 * A message or a stack may repeat text of a response. That text must not move the cursor, or look like a
 * second log line.
 */
const TERMINAL_CONTROL = /[^\P{Cc}\n\t]/gu;
const oneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, " ").replaceAll(/\p{Cc}/gu, "");
