/** The consumer container: one worker, configured from the environment, stopped by SIGTERM. */
import pino from "pino";
import { createWorker, OptionError, type ProcessRecords, type WorkerEvent } from "../../src/index.ts";
import { systemClock } from "../../src/platform.ts";
import type { HistoryEvent } from "../contract/history.ts";
import { SettingsError } from "../contract/settings-reader.ts";
import { type HistoryLog, historyToFile, historyToLog, noHistory } from "./history-log.ts";
import { type ConsumerSettings, readSettings } from "./settings.ts";

const text = new TextDecoder();

async function main(settings: ConsumerSettings): Promise<void> {
  // The SDK's advice about Node versions is for its developers, and would come before every line of ours.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const logger = pino({ level: settings.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  let history: HistoryLog =
    settings.history === "log"
      ? historyToLog((event) => logger.info({ history: event }, "history"))
      : noHistory;
  const worker = createWorker({
    applicationName: settings.applicationName,
    streamName: settings.streamName,
    leaseTableName: settings.leaseTableName,
    createLeaseTable: false,
    ...(settings.workerId !== undefined && { workerId: settings.workerId }),
    initialPosition: settings.initialPosition,
    enableLeaseStealing: settings.enableLeaseStealing,
    leaseStealing: { stealingStrategy: "EVEN_DISTRIBUTION" },
    ...(settings.maxLeasesLimit !== undefined && {
      maxLeasesForWorker: seedsFormula(settings.maxLeasesLimit),
    }),
    failoverTimeMillis: settings.failoverTimeMillis,
    shardSyncIntervalMillis: settings.shardSyncIntervalMillis,
    leaseRenewal: settings.leaseRenewal,
    idleTimeBetweenReadsMillis: settings.idleTimeBetweenReadsMillis,
    checkpointIntervalMillis: settings.checkpointIntervalMillis,
    metricsLevel: settings.metricsLevel,
    logger,
    processRecords: (input) => handle(input),
    onEvent: (event) => {
      history.write(historyEvent(worker.workerId, event));
      // The worker has ended by itself and has logged the reason. The container exits; its orchestrator
      // starts another.
      if (event.type === "error" && event.hasEnded) void stop("failure", 1);
    },
  });
  if (settings.historyDirectory !== undefined)
    history = historyToFile(settings.historyDirectory, worker.workerId);
  const tell = (name: string, atMillis = systemClock.wallMillis()) =>
    history.write({ type: "event", t: atMillis, name, worker: worker.workerId, pid: process.pid });
  const handle: ProcessRecords = ({ shardId, records }) => {
    const t = systemClock.wallMillis();
    for (const { data, sequenceNumber } of records) {
      const { key, n } = JSON.parse(text.decode(data)) as { key: string; n: number };
      history.write({ type: "record", t, worker: worker.workerId, shardId, key, n, sequenceNumber });
    }
  };

  tell("task-started", Math.round(performance.timeOrigin));
  let stopping = false;
  const stop = async (signal: string, exitCode = 0) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal, leases: worker.status().leases.length }, "stopping: handing every lease over");
    const given = await worker.stop(settings.stopBudgetMillis);
    if (given.length > 0)
      logger.warn(
        { shards: given },
        "the stop budget was spent: these were given up at their last checkpoint",
      );
    tell("task-stopped");
    history.flush();
    logger.info({}, "stopped");
    process.exit(exitCode);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop(signal));
  // A pod started by hand has an IPC channel to its parent command. Without this, it would outlive the
  // parent.
  process.once("disconnect", () => void stop("disconnect"));

  logger.info({ workerId: worker.workerId, stream: settings.streamName }, "starting");
  await worker.start();
  tell("worker-joined");
  logger.info({ workerId: worker.workerId }, "takes part in the fleet");
}

/** The seed's formula, rounded up: rounding 20 / 3 down would leave two shards unowned. */
const seedsFormula =
  (limit: number) =>
  ({ shards, workers }: { readonly shards: number; readonly workers: number }) =>
    Math.min(limit, Math.ceil(shards / workers));

function historyEvent(worker: string, event: WorkerEvent): HistoryEvent {
  switch (event.type) {
    case "batch":
      return {
        type: "batch",
        t: event.finishedAtMillis,
        worker,
        shardId: event.shardId,
        count: event.count,
        readAt: event.readAtMillis,
      };
    case "lease":
      return {
        type: "lease",
        t: event.atMillis,
        worker,
        leaseKey: event.leaseKey,
        action: event.action,
        reason: event.reason,
      };
    case "halted":
      return {
        type: "event",
        t: event.atMillis,
        name: "shard-halted",
        worker,
        shardId: event.shardId,
        error: event.error,
      };
    case "error":
      return {
        type: "event",
        t: event.atMillis,
        name: event.hasEnded ? "worker-failed" : "call-refused",
        worker,
        error: event.error.message,
      };
    case "resumed":
    case "retry":
    case "skipped":
    case "dead-letter": {
      const { type, atMillis, ...details } = event;
      return { type: "event", t: atMillis, name: `shard-${type}`, worker, ...details };
    }
  }
}

try {
  await main(readSettings(process.env));
} catch (error) {
  const wrongUse = error instanceof SettingsError || error instanceof OptionError;
  process.stderr.write(`evenkeel consumer: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(wrongUse ? 2 : 1);
}
