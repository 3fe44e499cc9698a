/**
 * `report.json`: the fields of docs/experiment.md, plus verdicts with witnesses, goals and notes of the
 * reader.
 */
import type { CheckResult, Witness } from "../checkers/index.ts";
import { loadsOf, loadsText } from "../history/lease-timeline.ts";
import type { Phase } from "../history/marks.ts";
import type { ReadingNotes } from "../history/read.ts";
import type { ApiCalls, Measurement, Measures } from "../measures/index.ts";
import type { ExperimentSettings } from "../settings.ts";
import { type Goal, goalsOf } from "./goals.ts";

export interface ReportCheck {
  readonly name: string;
  readonly expected: string | number;
  readonly actual: string | number;
  readonly ok: boolean;
  readonly verdict: "valid" | "invalid" | "unknown";
  readonly note?: string;
  readonly witnesses?: readonly Witness[];
}

export interface Report {
  /** Every check is valid: correctness and the seed's bounds hold. Goals do not affect it. */
  readonly ok: boolean;
  /** The verdict in one sentence. */
  readonly summary: string;
  readonly settings: ExperimentSettings;
  readonly phases: readonly Phase[];
  readonly measures: Measures;
  readonly checks: readonly ReportCheck[];
  readonly goals: readonly Goal[];
  readonly history: {
    /** Time of the earliest line. */
    readonly startedAt: number;
    readonly lines: number;
    readonly halfWrittenLines: number;
    readonly corruptLines: number;
  };
}

export interface ReportInput {
  readonly settings: ExperimentSettings;
  readonly phases?: readonly Phase[];
  readonly apiCalls?: ApiCalls;
}

export function buildReport(
  measurement: Measurement,
  results: readonly CheckResult[],
  notes: ReadingNotes,
  { settings, phases = measurement.phases(), apiCalls = {} }: ReportInput,
): Report {
  const measures = measurement.result({ apiCalls, phases });
  const checks = [readable(notes), ...results.map(reportCheck)];
  const ok = checks.every((check) => check.ok);
  return {
    ok,
    summary: summaryOf(checks, measures, settings),
    settings,
    phases,
    measures,
    checks,
    goals: goalsOf(measures, settings, spreadBeforeScaling(measurement)),
    history: {
      startedAt: measurement.startedAt ?? 0,
      lines: notes.lines,
      halfWrittenLines: notes.halfWritten.length,
      corruptLines: notes.corruptLines,
    },
  };
}

function reportCheck({ name, expected, verdict }: CheckResult): ReportCheck {
  const base = { name, expected, ok: verdict.kind === "valid", verdict: verdict.kind };
  switch (verdict.kind) {
    case "valid":
      return {
        ...base,
        actual: verdict.actual,
        ...(verdict.note === undefined ? {} : { note: verdict.note }),
      };
    case "invalid":
      return { ...base, actual: verdict.actual, witnesses: verdict.witnesses };
    case "unknown":
      return { ...base, actual: "unknown", note: verdict.why };
  }
}

function readable(notes: ReadingNotes): ReportCheck {
  const { lines, corruptLines, corrupt, halfWritten } = notes;
  const cut = halfWritten.length > 0 ? `, ${halfWritten.length} cut off by a kill (allowed)` : "";
  return {
    name: "history readable",
    expected: 0,
    actual: corruptLines,
    ok: corruptLines === 0,
    verdict: corruptLines === 0 ? "valid" : "invalid",
    note: `${lines} lines${cut}`,
    ...(corruptLines > 0
      ? {
          witnesses: corrupt.map(({ file, line, problem }) => ({
            text: `${fileName(file)}:${line}: ${problem}`,
          })),
        }
      : {}),
  };
}

const fileName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

function spreadBeforeScaling({ marks, timeline }: Measurement): string | undefined {
  const { splitDoneAt, scaleRequestedAt } = marks;
  if (splitDoneAt === undefined || scaleRequestedAt === undefined) return undefined;
  return loadsText(loadsOf(timeline.tableAt(scaleRequestedAt), marks.parents).byWorker.values());
}

function summaryOf(checks: readonly ReportCheck[], measures: Measures, settings: ExperimentSettings): string {
  const failed = checks.filter((check) => !check.ok);
  if (failed.length > 0) {
    const first = failed[0] as ReportCheck;
    const why = first.witnesses?.[0]?.text ?? first.note ?? `expected ${first.expected}, was ${first.actual}`;
    return `${failed.length} of ${checks.length} checks failed, first "${first.name}": ${why}.`;
  }
  const { shards, splitTo, pods, scaleTo } = settings;
  const did = [
    splitTo === shards ? `${shards} shards` : `${shards} → ${splitTo} shards`,
    scaleTo === pods ? `${pods} workers` : `${pods} → ${scaleTo} workers`,
  ].join(", ");
  const even =
    measures.convergenceMillis === null ? "" : ` Even again after ${seconds(measures.convergenceMillis)}`;
  const moves =
    measures.leaseMoves === null
      ? ""
      : ` with ${measures.leaseMoves} lease moves (minimum ${measures.minimumLeaseMoves})`;
  const crash =
    measures.duplicatesAfterCrash > 0 ? ` (${measures.duplicatesAfterCrash} repeated after a kill)` : "";
  return `${did}: all ${measures.produced} records processed in order, none lost, none doubled${crash}.${even}${even && moves}${even && "."}`;
}

const seconds = (millis: number): string => `${(millis / 1_000).toFixed(millis < 10_000 ? 2 : 1)} s`;
