/**
 * A worker as a process: the engine through its public API, the experiment's history file, and a handler
 * whose conduct the campaign decides. SIGTERM stops it in order. It ends at once when the campaign has gone.
 */
import { appendFileSync, readdirSync } from "node:fs";
import { historyToFile } from "../../../services/consumer/history-log.ts";
import type { HistoryEvent } from "../../../services/contract/history.ts";
import { createWorker, type Logger, type ProcessRecords, type WorkerEvent } from "../../../src/index.ts";
import { systemClock } from "../../../src/platform.ts";
import type { Conduct, ConsumerInput, FromConsumer, LogLine, Resources, ToConsumer } from "../protocol.ts";

const input = JSON.parse(process.argv[2] ?? "") as ConsumerInput;
const { workerId } = input;
const history = historyToFile(input.historyDirectory, workerId);
const tell = (message: FromConsumer) => process.connected && process.send?.(message);

const asText = (_: string, value: unknown) =>
  value instanceof Error ? `${value.name}: ${value.message}` : typeof value === "bigint" ? `${value}` : value;

function log(level: LogLine["level"], fields: object, message: string): void {
  const line: LogLine = {
    t: systemClock.wallMillis(),
    worker: workerId,
    level,
    message,
    fields: { ...fields },
  };
  // Written at once: lines from before a SIGKILL must be in the file.
  appendFileSync(input.logFile, `${JSON.stringify(line, asText)}\n`);
}

const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (fields, message) => log("warn", fields, message),
  error: (fields, message) => log("error", fields, message),
};

/** The current conduct, and the calls that end when the campaign changes it. */
class Handler {
  #conduct: Conduct = { kind: "works" };
  #blocksLeft = 0;
  /** Calls that hang. */
  #hanging: (() => void)[] = [];

  set conduct(conduct: Conduct) {
    this.#conduct = conduct;
    this.#blocksLeft = conduct.kind === "blocks" ? conduct.times : 0;
    for (const goOn of this.#hanging) goOn();
    this.#hanging = [];
  }

  readonly handle: ProcessRecords = async ({ shardId, records, signal }) => {
    const conduct = this.#conduct;
    if (conduct.kind === "fails") throw new Error("the downstream does not answer");
    if (conduct.kind === "hangs") await new Promise<void>((resolve) => this.#hanging.push(resolve));
    if (conduct.kind === "slow") await systemClock.sleep(conduct.millis, signal);
    if (conduct.kind === "blocks" && this.#blocksLeft > 0) {
      this.#blocksLeft -= 1;
      tell({ type: "blocking" });
      block(conduct.millis);
    }
    if (signal.aborted && conduct.kind !== "hangs") throw new Error("told to stop before it was done");
    const t = systemClock.wallMillis();
    for (const { data, sequenceNumber } of records) {
      const { key, n } = JSON.parse(Buffer.from(data).toString()) as { key: string; n: number };
      history.write({ type: "record", t, worker: workerId, shardId, key, n, sequenceNumber });
    }
    // Written when the handler resolves: a SIGKILL between the two would hide what was processed.
    history.flush();
  };
}

/** Blocks this process's event loop without keeping a core busy. */
function block(millis: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis);
}

function historyEvent(event: WorkerEvent): HistoryEvent | undefined {
  switch (event.type) {
    case "batch":
      return {
        type: "batch",
        t: event.finishedAtMillis,
        worker: workerId,
        shardId: event.shardId,
        count: event.count,
        readAt: event.readAtMillis,
      };
    case "lease": {
      const { leaseKey, action, reason, atMillis } = event;
      return { type: "lease", t: atMillis, worker: workerId, leaseKey, action, reason };
    }
    case "halted": {
      const { shardId, error, atMillis } = event;
      return { type: "event", t: atMillis, name: "shard-halted", worker: workerId, shardId, error };
    }
    default:
      return undefined; // of no use to the checkers
  }
}

function resources(): Resources {
  global.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const active: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) active[kind] = (active[kind] ?? 0) + 1;
  return { rssBytes: rss, heapBytes: heapUsed, openFiles: openFiles(), active };
}

/** Works on Linux and macOS. */
function openFiles(): number {
  return readdirSync("/dev/fd").length;
}

const mark = (name: string, t = systemClock.wallMillis()) =>
  history.write({ type: "event", t, name, worker: workerId, pid: process.pid });

const handler = new Handler();
const worker = createWorker({
  workerId,
  applicationName: input.applicationName,
  streamName: input.streamName,
  failoverTimeMillis: input.failoverTimeMillis,
  shardSyncIntervalMillis: input.shardSyncIntervalMillis,
  checkpointIntervalMillis: input.checkpointIntervalMillis,
  idleTimeBetweenReadsMillis: input.idleTimeBetweenReadsMillis,
  // A third of the default, so that a row need not last longer than the time limit for reports.
  logWarningForTaskAfterMillis: 10_000,
  logger,
  processRecords: handler.handle,
  onEvent: (event) => {
    const line = historyEvent(event);
    if (line !== undefined) history.write(line);
  },
});

let stopping = false;
process.on("SIGTERM", async () => {
  if (stopping) return;
  stopping = true;
  const given = await worker.stop(input.stopBudgetMillis);
  if (given.length > 0) log("warn", { shards: given }, "the stop budget was spent");
  mark("task-stopped");
  history.flush();
  process.exit(0);
});
process.on("message", (message: ToConsumer) => {
  if (message.type === "conduct") handler.conduct = message.conduct;
  else tell({ type: "sample", id: message.id, resources: resources() });
});
process.on("disconnect", () => process.exit(1));

mark("task-started", Math.round(performance.timeOrigin));
try {
  await worker.start();
  mark("worker-joined");
  tell({ type: "joined" });
} catch (error) {
  log("error", { err: error }, "start() rejected");
  history.flush();
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
