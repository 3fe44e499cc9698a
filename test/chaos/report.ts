/** A row's result as lines of text. */
import { duration } from "../../lab/terminal/table.ts";
import type { RowResult } from "./row.ts";

const BUSY_MILLIS = 500;

/** One line, and one more for each check that failed. */
export function resultLines({ name, ok, figures, checks, tookMillis, seed, lagMillis }: RowResult): string[] {
  const { lost, doubled, disordered, longestWaitMillis, said, unansweredPuts } = figures;
  const wait = longestWaitMillis === null ? "–" : duration(longestWaitMillis);
  const words = said === null ? "" : `, said after ${duration(said.afterMillis)}`;
  const head = `${ok ? "ok    " : "FAILED"} ${name}: lost ${lost}, doubled ${doubled}, order ${disordered}, wait ${wait}${words} (${duration(tookMillis)})`;
  const failed = checks.filter((check) => !check.ok);
  return [
    head,
    ...failed.map((check) => `         ${check.name}: expected ${check.expected}, was ${check.actual}`),
    ...(ok || (lagMillis < BUSY_MILLIS && unansweredPuts === 0)
      ? []
      : [
          `         the machine was busy: the campaign itself waited up to ${duration(lagMillis)} for a core, and the endpoint left ${unansweredPuts} puts of the load unanswered`,
        ]),
    ...(ok ? [] : [`         again: npm run chaos -- --row ${name} --seed ${seed}`]),
  ];
}
