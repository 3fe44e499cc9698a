/** The whole experiment: stage up, the script, the proof, stage down. The verdict is the report's. */
import { join } from "node:path";
import type { Clock } from "../../services/shared/clock.ts";
import { callsOf } from "../deployment/gateway.ts";
import { leaseTable } from "../deployment/lease-table.ts";
import { listShards } from "../deployment/stream.ts";
import { producerService, setDesiredCount } from "../deployment/tasks.ts";
import { rebalance } from "../deployment/workflow.ts";
import { Interrupted } from "../problem.ts";
import { type Report, writeReport } from "../report/index.ts";
import type { ExperimentSettings } from "../settings.ts";
import { HistoryTail } from "./history-tail.ts";
import { HistoryWriter } from "./history-writer.ts";
import { Observer } from "./observer.ts";
import type { Progress } from "./progress.ts";
import { type Controls, runScript } from "./script.ts";
import { openStage, type Stage } from "./stage.ts";

export interface ExperimentRun {
  readonly settings: ExperimentSettings;
  readonly application: string;
  /** Leave the endpoint and the stack running at the end. */
  readonly keep: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

const WORKFLOW_TIMEOUT_MILLIS = 180_000;

/** Throws Interrupted when the signal aborted: everything is put away by then. */
export async function runExperiment(run: ExperimentRun): Promise<Report> {
  const { progress, signal, clock } = run;
  const step = async <T>(name: string, text: string, work: () => Promise<T>): Promise<T> => {
    if (signal.aborted && name !== "destroy") throw new Interrupted(name);
    progress.start(name, text);
    try {
      const result = await work();
      progress.end(name, true, text);
      return result;
    } catch (error) {
      progress.end(name, false, text);
      throw error;
    }
  };
  const stage = await openStage({ ...run, step });
  let report: Report;
  try {
    const leases = await perform(run, stage);
    report = await step("report", join(run.settings.out, "report.html"), async () =>
      writeReport({
        settings: run.settings,
        historyDirectory: stage.historyDirectory,
        leases,
        apiCalls: await callsOf(stage.url, "consumer"),
      }),
    );
  } catch (error) {
    await stage.close("interrupted");
    throw signal.aborted ? new Interrupted("experiment") : error;
  }
  await stage.close(run.keep ? "keep" : "done");
  return report;

  /** Runs the script with a watching observer; gives the final lease table. */
  async function perform(_: ExperimentRun, on: Stage) {
    const history = new HistoryWriter(join(on.historyDirectory, "lab.jsonl"));
    const tail = new HistoryTail(on.historyDirectory);
    const table = leaseTable(on.clients, on.deployment.leaseTableName, clock);
    const observer = new Observer(
      {
        leases: table,
        listShards: () => listShards(on.clients, on.deployment.streamName),
        flow: () => tail.poll(),
      },
      (event) => history.write(event),
      clock,
      (sight) => progress.sight(sight),
    );
    observer.start();
    try {
      await runScript({
        settings: run.settings,
        observer,
        controls: controlsOf(on, clock, signal),
        clock,
        signal,
        write: (event) => history.write(event),
        phase: (name, goal) => progress.start(name, goal),
        done: (name, result) => progress.end(name, result.ok, result.text),
      });
      history.write({ type: "event", t: clock.wallMillis(), name: "stop-requested" });
      return await table.snapshot();
    } finally {
      await observer.stop();
      await history.close();
    }
  }
}

function controlsOf(stage: Stage, clock: Clock, signal: AbortSignal): Controls {
  const { clients, deployment } = stage;
  const wait = { clock, signal, timeoutMillis: WORKFLOW_TIMEOUT_MILLIS };
  return {
    reshard: async (targetShards) => {
      await rebalance(clients, deployment, { targetShards }, wait);
    },
    scale: async (targetTasks) => {
      await rebalance(clients, deployment, { targetTasks }, wait);
    },
    stopProducer: async () => setDesiredCount(clients, deployment, await producerService(clients, deployment), 0),
  };
}
