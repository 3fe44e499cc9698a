/**
 * Rules for an existing stack. The experiment starts only on a stack that is unchanged since it was deployed
 * with the same options. It never destroys what it did not create. Pure.
 */
import type { ExperimentSettings } from "../settings.ts";

export interface FoundStack {
  readonly openShards: number;
  readonly closedShards: number;
  /** Desired task counts of the services. */
  readonly consumers: number;
  readonly producers: number;
  /** The producer's settings. */
  readonly rate: number;
  readonly keys: number;
  readonly historyDirectory: string | undefined;
  /** Number of consumers that have ever written a history in that directory. */
  readonly consumersSeen: number;
}

/** Reasons why the experiment cannot start on this stack. Empty: it can. */
export function obstacles(
  found: FoundStack,
  settings: Pick<ExperimentSettings, "shards" | "pods" | "rate" | "keys">,
  historyDirectory: string,
): string[] {
  const { shards, pods, rate, keys } = settings;
  const differs = (what: string, actual: number, wanted: number) =>
    actual === wanted ? [] : [`${what} ${actual}, not ${wanted}`];
  // Without every line since the deployment, nothing can be proved.
  if (found.historyDirectory !== historyDirectory) return ["its tasks keep no history in this clone"];
  return [
    ...differs("open shards are", found.openShards, shards),
    ...(found.closedShards > 0 ? ["it was resharded before"] : []),
    ...differs("consumers are", found.consumers, pods),
    // A killed task leaves records that were handled twice.
    ...(found.consumersSeen > pods ? ["consumers came and went before"] : []),
    ...differs("producers are", found.producers, 1),
    ...differs("records a second are", found.rate, rate),
    ...differs("partition keys are", found.keys, keys),
  ];
}

/**
 * `done`: destroy the stack as a user would. `interrupted`: clean up the quick way. `keep`: leave everything
 * running.
 */
export type Outcome = "done" | "interrupted" | "keep";

export interface Created {
  readonly stack: boolean;
  readonly endpoint: boolean;
}

/**
 * An endpoint that this run started forgets the stack when it stops. An endpoint that keeps running must be
 * left without the stack that this run created.
 */
export function teardown(
  outcome: Outcome,
  created: Created,
): { destroyStack: boolean; stopEndpoint: boolean } {
  return {
    destroyStack: created.stack && (outcome === "done" || (outcome === "interrupted" && !created.endpoint)),
    stopEndpoint: created.endpoint && outcome !== "keep",
  };
}
