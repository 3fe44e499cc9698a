/** The real engine, on the simulated ports. The one file here that knows how it is put together. */
import { decide } from "../../services/consumer/core/decide.ts";
import { Coordinator } from "../../services/consumer/engine/coordinator.ts";
import { noMetrics } from "../../services/consumer/ports/metrics.ts";
import type { StartEngine } from "./cluster.ts";

const SIMULATED = { arn: "arn:aws:kinesis:us-east-1:000000000000:stream/simulated", createdMillis: 1 };

export const startEngine: StartEngine = (ports, { workerId, swarm, maxLeases, handler, log }) => {
  let incarnations = 0;
  const logAt = (level: string) => (fields: object, message: string) => log(level, message, fields);
  const coordinator = new Coordinator(
    {
      ...ports,
      decide,
      metrics: noMetrics,
      describeStream: async () => ({ identity: SIMULATED, keepsOrderPerKey: true }),
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
      hooks: { shutdownRequested: handler.shutdownRequested },
      observe: (event) => {
        if (event.type === "halted") handler.halted?.(event.shardId);
      },
      initialPosition: swarm.initialPosition,
      processRecords: handler.processRecords,
      onError: swarm.onError === "deadLetter" ? { deadLetter: handler.deadLetter } : swarm.onError,
      processTimeoutMillis: swarm.processTimeoutMillis,
      checkpointMode: swarm.checkpointMode,
      checkpointIntervalMillis: swarm.checkpointIntervalMillis,
      maxRecords: swarm.maxRecords,
      kplHashRange: "keep",
      idleTimeBetweenReadsMillis: swarm.idleTimeBetweenReadsMillis,
    },
  );
  return {
    start: () => coordinator.start(),
    stop: async () => {
      const left = await coordinator.stop(swarm.stopBudgetMillis);
      return left.length === 0 ? undefined : `budget spent with ${left.join(", ")}`;
    },
  };
};
