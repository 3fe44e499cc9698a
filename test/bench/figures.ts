/**
 * Figures beside their goals: the result of every benchmark, as a table for readers and as JSON for scripts.
 */
import { percentile } from "../../lab/measures/percentiles.ts";
import { paint } from "../../lab/terminal/paint.ts";
import { duration, renderTable } from "../../lab/terminal/table.ts";

export type Unit = "ms" | "count" | "µs" | "MiB" | "s" | "$" | "ratio";

export interface Figure {
  readonly measure: string;
  readonly unit: Unit;
  /** One per round. A round without a value gives null, and misses the goal. */
  readonly values: readonly (number | null)[];
  /** Upper limits. Undefined: the figure is shown, but not judged. */
  readonly goal?: { readonly median?: number; readonly worst?: number };
}

export interface BenchResult {
  readonly bench: string;
  readonly figures: readonly Figure[];
  /** Sentences below the table: what happened, and what to consider. */
  readonly notes: readonly string[];
}

export interface BenchRun {
  readonly rounds: number;
  readonly signal: AbortSignal;
  /** Keeps the histories and logs of a fleet, and prints where they are. */
  readonly keep: boolean;
  /** Reports what is happening now. */
  say(text: string): void;
}

export const median = (figure: Figure): number | null => percentile(given(figure), 0.5) ?? null;

export const worst = (figure: Figure): number | null =>
  figure.values.length === 0 || figure.values.includes(null) ? null : Math.max(...given(figure));

const given = ({ values }: Figure): number[] => values.filter((value) => value !== null);

/** Undefined: there is no goal. A figure without values misses its goal. */
export function isMet(figure: Figure): boolean | undefined {
  const { goal } = figure;
  if (goal === undefined) return undefined;
  const holds = (value: number | null, atMost: number | undefined) =>
    atMost === undefined || (value !== null && value <= atMost);
  return holds(median(figure), goal.median) && holds(worst(figure), goal.worst);
}

export function renderFigures(result: BenchResult, colour: boolean): string[] {
  const pen = paint(colour);
  const rows = result.figures.map((figure) => {
    const met = isMet(figure);
    return [
      figure.measure,
      goalText(figure),
      valueText(median(figure), figure.unit),
      valueText(worst(figure), figure.unit),
      met === undefined ? "" : met ? "yes" : "NO",
    ];
  });
  const columns = [
    { title: "measure" },
    { title: "goal", align: "right" },
    { title: "median", align: "right" },
    { title: "worst", align: "right" },
    { title: "met", align: "right" },
  ] as const;
  const [head = "", ...lines] = renderTable(columns, rows, 80);
  const body = lines.map((line, i) => (rows[i]?.[4] === "NO" ? pen.red(line) : line));
  return [pen.bold(head), ...body, ...result.notes.map((note) => pen.dim(note))];
}

function goalText({ goal, unit }: Figure): string {
  if (goal === undefined) return "";
  const parts = [goal.median, goal.worst].filter((limit) => limit !== undefined);
  const equal = parts.length === 2 && parts[0] === parts[1];
  return `≤ ${(equal ? parts.slice(1) : parts).map((limit) => valueText(limit, unit)).join(" / ")}`;
}

export function valueText(value: number | null, unit: Unit): string {
  if (value === null) return "none";
  switch (unit) {
    case "ms":
      return duration(value);
    case "count":
      return String(Math.round(value));
    case "ratio":
      return `${value.toFixed(2)} ×`;
    case "$":
      return `$${value.toFixed(2)}`;
    default:
      return `${value < 100 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  }
}

export const toJson = ({ bench, figures, notes }: BenchResult) => ({
  bench,
  notes,
  figures: figures.map((figure) => ({
    ...figure,
    median: median(figure),
    worst: worst(figure),
    met: isMet(figure) ?? null,
  })),
});
