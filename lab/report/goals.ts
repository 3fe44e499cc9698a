/** The goals of docs/experiment.md and the measured values. Goals are shown but do not affect the verdict. */
import { loadsText } from "../history/lease-timeline.ts";
import type { Measures } from "../measures/index.ts";
import { type ExperimentSettings, evenDistribution } from "../settings.ts";

export interface Goal {
  readonly name: string;
  readonly goal: string;
  readonly actual: string;
  readonly met: boolean;
}

interface Limit {
  readonly name: string;
  readonly actual: number | null | undefined;
  readonly atMost: number;
  readonly unit: "ms" | "" | "$ a month";
}

/**
 * Values that were not measured (for example without a reshard) have no row. Cost has none either: its goals
 * are for a steady, fault-free fleet with a failover time of ten seconds, which `npm run bench -- cost`
 * measures. This run changes constantly.
 */
export function goalsOf(
  measures: Measures,
  settings: ExperimentSettings,
  afterSplit: string | undefined,
): Goal[] {
  const limits: Limit[] = [
    { name: "workers started → even", actual: measures.initialBalanceMillis, atMost: 2_000, unit: "ms" },
    {
      name: "split → child has a lease row, worst",
      actual: measures.childDetectionMillis?.max,
      atMost: 1_000,
      unit: "ms",
    },
    {
      name: "split → first record of a child, worst",
      actual: measures.childFirstRecordMillis?.max,
      atMost: 2_500,
      unit: "ms",
    },
    {
      name: "workers added → even, staying so",
      actual: measures.convergenceMillis,
      atMost: 1_500,
      unit: "ms",
    },
    {
      name: "lease moves for it",
      actual: measures.leaseMoves,
      atMost: measures.minimumLeaseMoves ?? 0,
      unit: "",
    },
    { name: "hand-over gap, p99", actual: measures.handoffGapMillis?.p99, atMost: 500, unit: "ms" },
    { name: "put → handler, p50", actual: measures.putToHandlerMillis?.p50, atMost: 550, unit: "ms" },
  ];
  const goals = limits.flatMap(({ name, actual, atMost, unit }) =>
    actual === null || actual === undefined
      ? []
      : [
          {
            name,
            goal: `≤ ${atMost} ${unit}`.trim(),
            actual: `${actual} ${unit}`.trim(),
            met: actual <= atMost,
          },
        ],
  );
  const even = loadsText(evenDistribution(settings.splitTo, settings.pods, settings.maxLeasesLimit));
  if (afterSplit === undefined) return goals;
  return [
    {
      name: "leases after the split, before the scaling",
      goal: even,
      actual: afterSplit,
      met: afterSplit === even,
    },
    ...goals,
  ];
}
