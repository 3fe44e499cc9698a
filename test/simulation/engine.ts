/** The real engine on the simulated ports. Only this file knows how the engine is put together. */
import { decide } from "../../src/core/decide.ts";
import { Coordinator } from "../../src/engine/coordinator.ts";
import type { EngineOptions, Ports } from "../../src/engine/engine-context.ts";
import { noMetrics } from "../../src/ports/metrics.ts";
import { TRIES } from "./checkers/allowances.ts";
import type { EnginePorts, EngineOptions as SimOptions, StartEngine } from "./cluster.ts";
import { MAX_RETRY_DELAY_MILLIS } from "./run.ts";
import type { Swarm } from "./swarm.ts";
import { EPOCH_MILLIS } from "./world/sim-clock.ts";

const SIMULATED = { arn: "arn:aws:kinesis:us-east-1:000000000000:stream/simulated", createdMillis: 1 };

const initialPositionOf = ({ initialPosition }: Swarm): "TRIM_HORIZON" | "LATEST" | Date =>
  typeof initialPosition === "string"
    ? initialPosition
    : new Date(EPOCH_MILLIS + Math.floor(initialPosition.atMillis));

/**
 * Poison records that never recover must be given up within the run. Others are waited out, as by default.
 */
const maxAttempts = ({ poisonCalls }: Swarm): number | undefined =>
  poisonCalls === Number.POSITIVE_INFINITY ? TRIES + 1 : undefined;

export const startEngine: StartEngine = (ports, options) => {
  const coordinator = coordinatorOn(ports, options, options.overrides);
  return {
    start: () => coordinator.start(),
    stop: async () => {
      const left = await coordinator.stop(options.swarm.stopBudgetMillis);
      return left.length === 0 ? undefined : `budget spent with ${left.join(", ")}`;
    },
  };
};

/** @param overrides for tests that need options that no swarm draws */
export function coordinatorOn(
  ports: EnginePorts & Partial<Pick<Ports, "describeStream">>,
  { workerId, swarm, planner, maxLeases, handler, log }: SimOptions,
  overrides: Partial<EngineOptions> = {},
): Coordinator {
  let incarnations = 0;
  const logAt = (level: string) => (fields: object, message: string) => log(level, message, fields);
  return new Coordinator(
    {
      describeStream: async () => ({ identity: SIMULATED, keepsOrderPerKey: true }),
      ...ports,
      decide: planner ? planner(decide) : decide,
      metrics: noMetrics,
      newIncarnation: () => `${Math.floor(ports.random.next() * 1e9).toString(36)}-${++incarnations}`,
      logger: { debug: logAt("debug"), info: logAt("info"), warn: logAt("warn"), error: logAt("error") },
    },
    {
      workerId,
      createLeaseTable: true,
      onStreamReplaced: "refuse",
      enableLeaseStealing: swarm.steals,
      maxLeasesForWorker: maxLeases ?? (() => undefined),
      failoverTimeMillis: swarm.failoverTimeMillis,
      shardSyncIntervalMillis: swarm.shardSyncIntervalMillis,
      leaseRenewal: swarm.leaseRenewal,
      maxBufferedBytes: 64 * 1_048_576,
      assignsFrom: swarm.assignsFrom,
      hooks: { shutdownRequested: handler.shutdownRequested, shardEnded: handler.shardEnded },
      observe: (event) => {
        if (event.type === "halted") handler.halted?.(event.shardId);
      },
      initialPosition: initialPositionOf(swarm),
      processRecords: handler.processRecords,
      onError: swarm.onError === "deadLetter" ? { deadLetter: handler.deadLetter } : swarm.onError,
      processTimeoutMillis: swarm.processTimeoutMillis,
      retry: { maxAttempts: maxAttempts(swarm), maxDelayMillis: MAX_RETRY_DELAY_MILLIS },
      checkpointMode: swarm.checkpointMode,
      checkpointIntervalMillis: swarm.checkpointIntervalMillis,
      maxRecords: swarm.maxRecords,
      kplHashRange: "keep",
      idleTimeBetweenReadsMillis: swarm.idleTimeBetweenReadsMillis,
      ...overrides,
    },
  );
}
