/**
 * The button actions on the embedded endpoint: the resharder, the consumer service, and a signal to a task's
 * process.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { endpointAdmin } from "../../../local/index.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { Clients } from "../../aws/clients.ts";
import type { Deployment } from "../../aws/outputs.ts";
import { listShards } from "../../aws/stream.ts";
import { serviceCounts, setDesiredCount } from "../../aws/tasks.ts";
import { rebalance, runningExecution } from "../../aws/workflow.ts";
import { CommandError } from "../../errors.ts";
import { workerOf } from "../../history/events.ts";
import { parseHistoryLine } from "../../history/parse.ts";
import type { FleetActions } from "./actions.ts";

const RESHARD_TIMEOUT_MILLIS = 600_000;
/** The line that names the process is among the first lines of a history file. */
const HEAD_BYTES = 8_192;

export interface EmbeddedPlace {
  readonly endpointUrl: string;
  readonly clients: Clients;
  readonly deployment: Deployment;
  readonly historyFolder: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export function embeddedActions(place: EmbeddedPlace): FleetActions {
  const { clients, deployment, clock, signal } = place;
  return {
    async split(percent) {
      if ((await runningExecution(clients, deployment)) !== undefined)
        throw new CommandError("a reshard is under way; wait for it");
      const now = (await listShards(clients, deployment.streamName)).filter((shard) => shard.open).length;
      const targetShards = Math.ceil((now * (100 + percent)) / 100);
      const startedAt = clock.monotonicMillis();
      await rebalance(
        clients,
        deployment,
        { targetShards },
        { clock, signal, timeoutMillis: RESHARD_TIMEOUT_MILLIS },
      );
      const seconds = ((clock.monotonicMillis() - startedAt) / 1_000).toFixed(1);
      return `${now} → ${targetShards} open shards, in ${seconds} s`;
    },
    async scale(tasks) {
      const service = deployment.consumerServiceName;
      const { desired } = await serviceCounts(clients, deployment, service);
      await setDesiredCount(clients, deployment, service, tasks);
      return `consumer tasks wanted: ${desired} → ${tasks}`;
    },
    async kill(workerId) {
      const admin = endpointAdmin(place.endpointUrl);
      const pid = await pidOf(place.historyFolder, workerId);
      const found = (await admin.processes()).find((process) => process.pid === pid);
      if (pid === undefined || found === undefined)
        throw new CommandError(
          `${workerId} is no task of this endpoint (started by hand, or gone already); stop it where it was started`,
        );
      await admin.signal(found.id, "SIGKILL");
      return `kill -9 sent to ${workerId} (process ${pid})`;
    },
  };
}

/**
 * A worker writes its process id at startup, to the history file of its name
 * (services/consumer/history-log.ts).
 */
async function pidOf(folder: string, workerId: string): Promise<number | undefined> {
  let head: string;
  try {
    const file = await open(join(folder, `${workerId.replaceAll(/[^\w.-]/g, "_")}.jsonl`), "r");
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      head = buffer.toString("utf8", 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  for (const line of head.split("\n")) {
    const parsed = parseHistoryLine(line);
    if ("problem" in parsed || parsed.event.type !== "event" || parsed.event.name !== "task-started")
      continue;
    const { pid } = parsed.event;
    if (workerOf(parsed.event) === workerId && typeof pid === "number") return pid;
  }
  return undefined;
}
