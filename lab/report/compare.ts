/** Compares two reports. */
import type { Report } from "./report.ts";
import { measureRows, type Row } from "./rows.ts";

export interface ComparedRow {
  readonly name: string;
  readonly group: Row["group"];
  readonly unit: Row["unit"];
  readonly a: number | null;
  readonly b: number | null;
  /** b − a. Null if either is missing. */
  readonly delta: number | null;
  /** Whether b is better than a, for measures with a better direction. */
  readonly change: "better" | "worse" | "same" | "neutral";
}

export interface Comparison {
  readonly rows: readonly ComparedRow[];
  /** Checks whose outcome differs: the name, and whether each was ok. */
  readonly checks: readonly {
    readonly name: string;
    readonly a: boolean | null;
    readonly b: boolean | null;
  }[];
  /** Settings that differ between the two runs. If there are any, compare the values with care. */
  readonly settings: readonly { readonly name: string; readonly a: string; readonly b: string }[];
}

export function compareReports(a: Report, b: Report): Comparison {
  const rowsOfB = new Map(measureRows(b.measures).map((row) => [row.name, row]));
  const rowsOfA = measureRows(a.measures);
  const namesOfA = new Set(rowsOfA.map(({ name }) => name));
  const onlyB = [...rowsOfB.values()].filter(({ name }) => !namesOfA.has(name));
  return {
    rows: [
      ...rowsOfA.map((row) => compareRow(row, row.value, rowsOfB.get(row.name)?.value ?? null)),
      ...onlyB.map((row) => compareRow(row, null, row.value)),
    ],
    checks: differing(
      new Map(a.checks.map(({ name, ok }) => [name, ok])),
      new Map(b.checks.map(({ name, ok }) => [name, ok])),
      null,
    ),
    settings: differing(flat(a.settings), flat(b.settings), "—").filter(({ name }) => name !== "out"),
  };
}

function compareRow({ name, group, unit, better }: Row, a: number | null, b: number | null): ComparedRow {
  const delta = a === null || b === null ? null : b - a;
  const change =
    better === undefined || delta === null ? "neutral" : delta < 0 ? "better" : delta > 0 ? "worse" : "same";
  return { name, group, unit, a, b, delta, change };
}

function differing<V, M>(a: ReadonlyMap<string, V>, b: ReadonlyMap<string, V>, missing: M) {
  const names = new Set([...a.keys(), ...b.keys()]);
  return [...names]
    .map((name) => ({ name, a: a.get(name) ?? missing, b: b.get(name) ?? missing }))
    .filter((row) => row.a !== row.b);
}

function flat(settings: object, prefix = ""): Map<string, string> {
  return new Map(
    Object.entries(settings).flatMap(([name, value]) =>
      typeof value === "object" && value !== null
        ? [...flat(value, `${prefix}${name}.`)]
        : [[prefix + name, String(value)] as const],
    ),
  );
}
