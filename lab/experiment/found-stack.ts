/**
 * What the experiment makes of a stack that it finds: it begins on one that is as it was deployed, by the same
 * options, and leaves standing what it did not make. Pure.
 */
import type { ExperimentSettings } from "../settings.ts";

export interface FoundStack {
  readonly openShards: number;
  readonly closedShards: number;
  /** Tasks that the services want. */
  readonly consumers: number;
  readonly producers: number;
  /** The producer's. */
  readonly rate: number;
  readonly keys: number;
  readonly historyDirectory: string | undefined;
  /** Consumers that ever wrote a history there. */
  readonly consumersSeen: number;
}

/** Why the experiment cannot begin on it; empty: it can. */
export function obstacles(
  found: FoundStack,
  settings: Pick<ExperimentSettings, "shards" | "pods" | "rate" | "keys">,
  historyDirectory: string,
): string[] {
  const { shards, pods, rate, keys } = settings;
  const differs = (what: string, actual: number, wanted: number) =>
    actual === wanted ? [] : [`${what} ${actual}, not ${wanted}`];
  // Without every line since the deployment nothing can be proved.
  if (found.historyDirectory !== historyDirectory) return ["its tasks keep no history in this clone"];
  return [
    ...differs("open shards are", found.openShards, shards),
    ...(found.closedShards > 0 ? ["it was resharded before"] : []),
    ...differs("consumers are", found.consumers, pods),
    // A task that was killed leaves records that were handled twice.
    ...(found.consumersSeen > pods ? ["consumers came and went before"] : []),
    ...differs("producers are", found.producers, 1),
    ...differs("records a second are", found.rate, rate),
    ...differs("partition keys are", found.keys, keys),
  ];
}

/** `done`: destroy the stack as a user would. `interrupted`: be gone, the quick way. `keep`: leave all of it running. */
export type Outcome = "done" | "interrupted" | "keep";

export interface Created {
  readonly stack: boolean;
  readonly endpoint: boolean;
}

/** An endpoint of our own forgets the stack when it stops; one that goes on must be left without what we made on it. */
export function teardown(
  outcome: Outcome,
  created: Created,
): { destroyStack: boolean; stopEndpoint: boolean } {
  return {
    destroyStack: created.stack && (outcome === "done" || (outcome === "interrupted" && !created.endpoint)),
    stopEndpoint: created.endpoint && outcome !== "keep",
  };
}
