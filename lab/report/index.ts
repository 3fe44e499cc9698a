/** Writes `out/`: history.jsonl, report.json, report.html, leases.json. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { experimentCheckers, results } from "../checkers/index.ts";
import type { Phase } from "../history/marks.ts";
import { mergeHistory } from "../history/merge.ts";
import { type ApiCalls, Measurement } from "../measures/index.ts";
import type { ExperimentSettings } from "../settings.ts";
import { renderPage } from "./page.ts";
import { buildReport, type Report } from "./report.ts";

export { compareReports } from "./compare.ts";
export { readReport } from "./read-report.ts";
export type { Report, ReportCheck } from "./report.ts";
export { renderComparison, renderReport } from "./text.ts";

export interface WriteReportOptions {
  /** Files of the producer, each consumer, the sampler and the lab's events, in any order. */
  readonly historyFiles: readonly string[];
  readonly settings: ExperimentSettings;
  /** Default: from the history's `phase` marks. */
  readonly phases?: readonly Phase[];
  /** The consumers' calls by `<Service.Operation>`. Default: none counted (an endpoint that cannot count). */
  readonly apiCalls?: ApiCalls;
  /** Rows of the lease table at the end. Written unchanged. */
  readonly finalLeases: unknown;
  /** The output folder. Created if missing; files in it are replaced. */
  readonly out: string;
}

/**
 * Reads the history once, at any length. Rejects if a file cannot be read or written. A bad history gives a
 * report that is not ok.
 */
export async function writeReport(options: WriteReportOptions): Promise<{ ok: boolean; report: Report }> {
  const { historyFiles, settings, finalLeases, out } = options;
  const measurement = new Measurement(settings);
  const checkers = experimentCheckers(settings);
  await mkdir(out, { recursive: true });
  // Not written over history.jsonl itself, which may be one of the input files (when a report is computed
  // again).
  const partial = join(out, "history.jsonl.partial");
  const notes = await mergeHistory(historyFiles, partial, (event) => {
    measurement.observe(event);
    for (const checker of checkers) checker.observe(event);
  });
  await rename(partial, join(out, "history.jsonl"));
  const report = buildReport(measurement, results(checkers), notes, options);
  await writeFile(join(out, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(out, "leases.json"), `${JSON.stringify(finalLeases, null, 2)}\n`);
  await writeFile(join(out, "report.html"), renderPage(report, measurement));
  return { ok: report.ok, report };
}
