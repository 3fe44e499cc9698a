/** A report, or a comparison of two, as lines of at most 80 columns. */
import { paint } from "../terminal/paint.ts";
import { type Column, renderTable } from "../terminal/table.ts";
import { type Comparison, compareReports } from "./compare.ts";
import type { Report, ReportCheck } from "./report.ts";
import { measureRows, readableTimes, type Unit, valueText } from "./rows.ts";

export interface TextOptions {
  readonly colour: boolean;
  /** Default: 80. */
  readonly width?: number;
}

export function renderReport(report: Report, { colour, width = 80 }: TextOptions): string[] {
  const { green, red, bold, dim } = paint(colour);
  const tone = report.ok ? green : red;
  const measured = measureRows(report.measures).filter(({ value }) => value !== null);
  const lines = [
    ...wrap(`${report.ok ? "✔" : "✘"} ${readableTimes(report.summary, report.history.startedAt)}`, width).map(
      (line) => bold(tone(line)),
    ),
    "",
    ...table(
      [{ title: "check" }, { title: "expected" }, { title: "actual" }, { title: "" }],
      report.checks.map(checkCells),
      width,
      bold,
    ),
    ...report.checks
      .filter(({ ok }) => !ok)
      .flatMap((check) => why(check, report.history.startedAt, width).map((line) => red(line))),
    "",
    ...table(
      [{ title: "measure" }, { title: "value", align: "right" }],
      measured.map(({ name, value, unit }) => [name, valueText(value, unit)]),
      width,
      bold,
    ),
    "",
    ...table(
      [{ title: "goal (shown, does not decide)" }, { title: "goal" }, { title: "actual" }, { title: "" }],
      report.goals.map(({ name, goal, actual, met }) => [name, goal, actual, met ? "met" : "not met"]),
      width,
      bold,
    ),
  ];
  const spreads = report.measures.distributions.map(
    ({ phase, leases, unowned }) =>
      `${phase}: ${Object.values(leases)
        .toSorted((a, b) => b - a)
        .join("/")}${unowned > 0 ? ` (${unowned} unowned)` : ""}`,
  );
  return spreads.length === 0
    ? lines
    : [
        ...lines,
        "",
        ...wrap(`leases per worker at the end of each phase: ${spreads.join(", ")}`, width).map(dim),
      ];
}

/** Compares the first report with the second: `delta` is the second minus the first. */
export function renderComparison(
  a: Report,
  b: Report,
  names: readonly [string, string],
  { colour, width = 80 }: TextOptions,
): string[] {
  const { green, red, bold, dim } = paint(colour);
  const comparison = compareReports(a, b);
  const [nameA, nameB] = names.map(shortName);
  const rows = comparison.rows.filter(({ a: valueA, b: valueB }) => valueA !== null || valueB !== null);
  const body = renderTable(
    [
      { title: "measure" },
      { title: nameA ?? "a", align: "right" },
      { title: nameB ?? "b", align: "right" },
      { title: "delta", align: "right" },
      { title: "" },
    ],
    rows.map(({ name, a: valueA, b: valueB, unit, delta, change }) => [
      name,
      valueText(valueA, unit),
      valueText(valueB, unit),
      deltaText(delta, unit),
      change === "neutral" ? "" : change,
    ]),
    width,
  );
  const tones = [
    bold,
    ...rows.map(({ change }) =>
      change === "better" ? green : change === "worse" ? red : (line: string) => line,
    ),
  ];
  return [
    `${verdictText(nameA ?? "a", a)}, ${verdictText(nameB ?? "b", b)}`,
    "",
    ...body.map((line, i) => (tones[i] ?? bold)(line)),
    ...differences(comparison).flatMap((line) => wrap(line, width).map(dim)),
  ];
}

/** out/report.json → out: the file's name carries no information. */
function shortName(path: string): string {
  const name = path.replace(/[/\\]report\.json$/, "");
  return name.length > 12 ? `…${name.slice(-11)}` : name;
}

const verdictText = (name: string, report: Report): string => `${name}: ${report.ok ? "ok" : "NOT OK"}`;

function differences({ checks, settings }: Comparison): string[] {
  const word = (ok: boolean | null) => (ok === null ? "missing" : ok ? "ok" : "not ok");
  const found = [
    ...checks.map(({ name, a, b }) => `check "${name}": ${word(a)} → ${word(b)}`),
    ...settings.map(({ name, a, b }) => `setting ${name}: ${a} → ${b}`),
  ];
  return found.length === 0 ? [] : ["", ...found];
}

function deltaText(delta: number | null, unit: Unit): string {
  if (delta === null) return "";
  if (delta === 0) return "0";
  return `${delta > 0 ? "+" : "−"}${valueText(Math.abs(delta), unit)}`;
}

const checkCells = ({ name, expected, actual, ok }: ReportCheck): string[] => [
  name,
  String(expected),
  String(actual),
  ok ? "ok" : "NOT OK",
];

function why(check: ReportCheck, startedAt: number, width: number): string[] {
  const texts = check.witnesses?.map(({ text }) => readableTimes(text, startedAt)) ?? [];
  return [
    `${check.name}:`,
    ...(check.note === undefined ? texts : [check.note, ...texts]).slice(0, 5).map((text) => `  ${text}`),
  ].flatMap((line) => wrap(line, width));
}

function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
  head: (line: string) => string,
): string[] {
  return rows.length === 0
    ? []
    : renderTable(columns, rows, width).map((line, i) => (i === 0 ? head(line) : line));
}

/**
 * Breaks at spaces. A word longer than a line stays whole. Continued lines get the first line's indent plus
 * two.
 */
function wrap(text: string, width: number): string[] {
  const indent = text.length - text.trimStart().length;
  const lines: string[] = [];
  let line = text.slice(0, indent);
  for (const word of text.trim().split(" ")) {
    if (line.trim() !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = " ".repeat(indent + 2) + word;
    } else line = line.trim() === "" ? line + word : `${line} ${word}`;
  }
  return [...lines, line];
}
