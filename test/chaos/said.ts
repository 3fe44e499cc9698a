/** What the workers of a row logged at level warn and above, and whether that was enough. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LogLine } from "./protocol.ts";
import type { Row, RowCheck } from "./row.ts";

const SAID_WITHIN_MILLIS = 30_000;

export const logFolder = (rowFolder: string): string => join(rowFolder, "log");

/** @returns the lines in order of time */
export function readLogs(rowFolder: string): LogLine[] {
  const folder = logFolder(rowFolder);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      // A process may have been killed in the middle of its last line.
      const whole = readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1);
      return whole.map((line) => JSON.parse(line) as LogLine);
    })
    .toSorted((a, b) => a.t - b.t);
}

/** From the beginning of the fault to the end of the row. Lines from the fleet's stop do not count. */
export interface Span {
  readonly troubleAt: number | undefined;
  readonly stoppingAt: number | undefined;
}

/** The first line of the span that matches `says`. Undefined: there is none, or no fault. */
export function firstSaid(
  lines: readonly LogLine[],
  { troubleAt, stoppingAt = Number.POSITIVE_INFINITY }: Span,
  { name, expects: { says } }: Pick<Row, "name" | "expects">,
): { readonly afterMillis: number; readonly text: string } | undefined {
  if (troubleAt === undefined) return undefined;
  // Tables and streams have the row's name, which often says what is done to them.
  const fits = (line: object) => says?.test(JSON.stringify(line).replaceAll(name, "")) ?? true;
  const line = lines.find(({ t, ...rest }) => t >= troubleAt && t < stoppingAt && fits(rest));
  return line && { afterMillis: line.t - troubleAt, text: line.message };
}

export function saidChecks(
  { expects }: Row,
  lines: readonly LogLine[],
  said: { readonly afterMillis: number; readonly text: string } | undefined,
): RowCheck[] {
  const checks: RowCheck[] = [];
  if (expects.says !== undefined)
    checks.push({
      name: "said",
      expected: `${expects.says.source} ≤ ${SAID_WITHIN_MILLIS} ms`,
      actual: said === undefined ? "nothing" : `${said.text} after ${said.afterMillis} ms`,
      ok: said !== undefined && said.afterMillis <= SAID_WITHIN_MILLIS,
    });
  if (expects.noErrors) {
    const errors = lines.filter(({ level }) => level === "error");
    const first = errors[0] === undefined ? "" : `: ${errors[0].message}`;
    checks.push({
      name: "errors said",
      expected: 0,
      actual: `${errors.length}${first}`,
      ok: errors.length === 0,
    });
  }
  return checks;
}
