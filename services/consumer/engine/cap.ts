import type { Logger } from "../ports/logger.ts";
import type { EngineOptions } from "./engine-context.ts";

/** The user's formula: without shards there is nothing to ask it, and where it fails the last answer stands. */
export function capFor(
  fleet: { readonly shards: number; readonly workers: number },
  formula: EngineOptions["maxLeasesForWorker"],
  lastAnswer: number | undefined,
  logger: Logger,
): number | undefined {
  if (fleet.shards === 0) return lastAnswer;
  try {
    return formula(fleet);
  } catch (error) {
    const message = "maxLeasesForWorker failed; its last answer stands";
    logger.error({ err: error, ...fleet, kept: lastAnswer }, message);
    return lastAnswer;
  }
}
