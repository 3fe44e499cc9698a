/**
 * The checkers of the experiment, the chaos campaign and the soak. The simulator has its own
 * (`test/simulation/checkers`).
 */
import type { HistoryEvent } from "../../services/contract/history.ts";
import type { ExperimentSettings } from "../settings.ts";
import type { Checker, Verdict } from "./checker.ts";
import { childrenDetected, convergence, initialDistribution, nothingUnowned } from "./distribution.ts";
import { keyOrder } from "./key-order.ts";
import { lineage } from "./lineage.ts";
import { nothingDoubled } from "./nothing-doubled.ts";
import { nothingLost } from "./nothing-lost.ts";
import { oneOwner } from "./one-owner.ts";

export type { Checker, Verdict, Witness } from "./checker.ts";
export {
  childrenDetected,
  convergence,
  initialDistribution,
  keyOrder,
  lineage,
  nothingDoubled,
  nothingLost,
  nothingUnowned,
  oneOwner,
};

/** Checks that every history must pass, whatever happened to the fleet. */
export const safetyCheckers = (crashReplayMillis: number): Checker[] => [
  oneOwner(),
  nothingLost(),
  nothingDoubled(crashReplayMillis),
  keyOrder(),
  lineage(),
];

/** The experiment's checks: safety, and the seed's expectations. */
export const experimentCheckers = (settings: ExperimentSettings): Checker[] => [
  ...safetyCheckers(settings.bounds.crashReplayMillis),
  nothingUnowned(),
  initialDistribution(settings),
  childrenDetected(settings),
  convergence(settings),
];

export interface CheckResult {
  readonly name: string;
  readonly expected: string | number;
  readonly verdict: Verdict;
}

/** Runs `checkers` over a history in memory. A streaming caller calls `observe` itself. */
export function check(history: Iterable<HistoryEvent>, checkers: readonly Checker[]): CheckResult[] {
  for (const event of history) for (const checker of checkers) checker.observe(event);
  return results(checkers);
}

export const results = (checkers: readonly Checker[]): CheckResult[] =>
  checkers.map((checker) => ({ name: checker.name, expected: checker.expected, verdict: checker.verdict() }));
