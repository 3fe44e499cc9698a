/** A row's result as lines of text. */
import { duration } from "../../lab/terminal/table.ts";
import type { RowResult } from "./row.ts";

const BUSY_MILLIS = 500;

/** One line, and one more for each failed check. */
export function resultLines({ name, ok, figures, checks, tookMillis, seed }: RowResult): string[] {
  const { lost, doubled, disordered, longestWaitMillis, said, unansweredPuts, slowestAnswerMillis } = figures;
  const wait = longestWaitMillis === null ? "–" : duration(longestWaitMillis);
  const words = said === null ? "" : `, said after ${duration(said.afterMillis)}`;
  const head = `${ok ? "ok    " : "FAILED"} ${name}: lost ${lost}, doubled ${doubled}, order ${disordered}, wait ${wait}${words} (${duration(tookMillis)})`;
  const failed = checks.filter((check) => !check.ok);
  return [
    head,
    ...failed.map((check) => `         ${check.name}: expected ${check.expected}, was ${check.actual}`),
    ...(ok || slowestAnswerMillis < BUSY_MILLIS
      ? []
      : [
          `         the machine was busy: the endpoint took up to ${duration(slowestAnswerMillis)} to answer the campaign, which left ${unansweredPuts} puts unanswered`,
        ]),
    ...(ok ? [] : [`         again: npm run chaos -- --row ${name} --seed ${seed}`]),
  ];
}
