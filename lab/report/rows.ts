/** The measures as rows: one list for the page, the terminal and the comparison. */
import type { Measures } from "../measures/index.ts";

export type Unit = "ms" | "count" | "dollars" | "perMinute";

export interface Row {
  readonly group: "timing" | "gaps" | "records" | "moves" | "cost";
  readonly name: string;
  /** Null: not measured. */
  readonly value: number | null;
  readonly unit: Unit;
  /** Undefined: neither direction is better. */
  readonly better?: "less";
}

const less = { better: "less" } as const;

export function measureRows(measures: Measures): Row[] {
  const { childDetectionMillis: found, childFirstRecordMillis: first, handoffGapMillis: gap } = measures;
  const { putToHandlerMillis: latency, shardSilenceMillis: silence, dynamoDb, recoveries } = measures;
  const ms = (group: Row["group"], name: string, value: number | null | undefined): Row => ({
    group,
    name,
    value: value ?? null,
    unit: "ms",
    ...less,
  });
  const count = (group: Row["group"], name: string, value: number | null, better?: typeof less): Row => ({
    group,
    name,
    value,
    unit: "count",
    ...better,
  });
  return [
    ms("timing", "workers started → even", measures.initialBalanceMillis),
    ms("timing", "split → child has a lease, p50", found?.p50),
    ms("timing", "split → child has a lease, worst", found?.max),
    ms("timing", "split → first record of a child, worst", first?.max),
    ms("timing", "workers added → even, staying so", measures.convergenceMillis),
    ...recoveries.flatMap(({ worker, ownedMillis, flowingMillis }) => [
      ms("timing", `kill of ${worker} → owned again`, ownedMillis),
      ms("timing", `kill of ${worker} → read again`, flowingMillis),
    ]),
    ms("gaps", "hand-over gap, p50", gap?.p50),
    ms("gaps", "hand-over gap, p99", gap?.p99),
    ms("gaps", "hand-over gap, worst", gap?.max),
    ms("gaps", "hand-over gap of the whole run, worst", measures.allHandoffGapsMillis?.max),
    ms("gaps", "take-over gap after an expiry, worst", measures.takeoverGapMillis?.max),
    ms("gaps", "longest silence of a shard", silence?.max),
    ms("gaps", "put → handler, p50", latency?.p50),
    ms("gaps", "put → handler, p99", latency?.p99),
    count("records", "records produced", measures.produced),
    count("records", "records processed", measures.processed),
    count("records", "duplicates", measures.duplicates, less),
    count("records", "lost", measures.lost, less),
    count("records", "out of order", measures.orderViolations, less),
    count("moves", "lease moves", measures.leaseMoves, less),
    count("moves", "minimum of lease moves", measures.minimumLeaseMoves),
    {
      group: "cost",
      name: "DynamoDB write units a minute",
      value: dynamoDb?.writeUnitsPerMinute ?? null,
      unit: "perMinute",
      ...less,
    },
    {
      group: "cost",
      name: "DynamoDB read units a minute",
      value: dynamoDb?.readUnitsPerMinute ?? null,
      unit: "perMinute",
      ...less,
    },
    {
      group: "cost",
      name: "DynamoDB dollars a month (estimate)",
      value: dynamoDb?.dollarsPerMonth ?? null,
      unit: "dollars",
      ...less,
    },
  ];
}

/** `—` for a value that was not measured. */
export function valueText(value: number | null, unit: Unit): string {
  if (value === null) return "—";
  if (unit === "ms") return millisText(value);
  if (unit === "dollars") return `$${value.toFixed(2)}`;
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

export const millisText = (millis: number): string =>
  Math.abs(millis) < 1_000
    ? `${Math.round(millis)} ms`
    : `${(millis / 1_000).toFixed(Math.abs(millis) < 10_000 ? 2 : 1)} s`;

/**
 * Witnesses contain times in epoch milliseconds, like the history. This converts them to seconds since the
 * start of the run.
 */
export const readableTimes = (text: string, startedAt: number): string =>
  text.replace(/\b1\d{12}\b/g, (epoch) => `+${((Number(epoch) - startedAt) / 1_000).toFixed(2)} s`);
