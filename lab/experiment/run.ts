/**
 * The whole experiment: set up the test environment, run the phases, prove the result, tear down. The report
 * decides the verdict.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type EndpointError, endpointAdmin } from "../../local/index.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { listShards } from "../aws/stream.ts";
import { setDesiredCount } from "../aws/tasks.ts";
import { rebalance } from "../aws/workflow.ts";
import { Interrupted } from "../errors.ts";
import { exportLeases, type PlainRow } from "../fleet/lease-export.ts";
import { leaseTable } from "../fleet/lease-table.ts";
import { HistoryTail } from "../history/tail.ts";
import { type Report, writeReport } from "../report/index.ts";
import type { ExperimentSettings } from "../settings.ts";
import { openEnvironment, type TestEnvironment } from "./environment.ts";
import { HistoryWriter } from "./history-writer.ts";
import { type Controls, runPhases } from "./phases.ts";
import { type Progress, stepper } from "./progress.ts";
import { Sampler } from "./sampler.ts";

export interface ExperimentRun {
  readonly settings: ExperimentSettings;
  readonly application: string;
  /** An embedded endpoint that is already running. Undefined: use the running one, or start one. */
  readonly endpointUrl: string | undefined;
  /** Leave the endpoint and the stack running at the end. */
  readonly keep: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

export interface ExperimentOutcome {
  readonly report: Report;
  /** The error that prevented the teardown of the stack or the endpoint. Undefined: teardown succeeded. */
  readonly leftBehind: unknown;
}

const WORKFLOW_TIMEOUT_MILLIS = 180_000;

/** Throws Interrupted if the signal aborted; by then everything is cleaned up. */
export async function runExperiment(run: ExperimentRun): Promise<ExperimentOutcome> {
  const { progress } = run;
  // Ctrl-C and a dead endpoint both end the run at the next await. `broken` tells them apart.
  const outcome = new AbortController();
  let broken: EndpointError | undefined;
  const onEndpointFailure = (error: EndpointError) => {
    broken = error;
    outcome.abort();
  };
  const signal = AbortSignal.any([run.signal, outcome.signal]);
  const cause = (error: unknown) => broken ?? (run.signal.aborted ? new Interrupted("experiment") : error);
  const shown = stepper(progress);
  const step = async <T>(name: string, text: string, work: () => Promise<T>): Promise<T> => {
    if (signal.aborted && name !== "destroy") throw new Interrupted(name);
    return shown(name, text, work);
  };
  const environment = await openEnvironment({ ...run, signal, onEndpointFailure, step }).catch(
    (error: unknown) => {
      throw cause(error);
    },
  );
  let report: Report;
  try {
    const finalLeases = await perform({ ...run, signal }, environment);
    ({ report } = await step("report", join(run.settings.out, "report.html"), async () =>
      writeReport({
        settings: run.settings,
        historyFiles: historyFiles(environment.historyDirectory),
        apiCalls: await consumersCalls(environment.url),
        finalLeases,
        out: run.settings.out,
      }),
    ));
  } catch (error) {
    await environment.close("interrupted");
    throw cause(error);
  }
  // A failed teardown must not hide the result of the experiment.
  const leftBehind = await environment.close(run.keep ? "keep" : "done").then(
    () => undefined,
    (error: unknown) => error,
  );
  return { report, leftBehind };
}

/** `<Service.Operation>` → count, for the consumers only. */
async function consumersCalls(url: string): Promise<Record<string, number>> {
  const calls = (await endpointAdmin(url).calls()).filter((call) => call.caller === "consumer");
  return Object.fromEntries(calls.map(({ operation, count }) => [operation, count] as const).toSorted());
}

const historyFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .map((name) => join(folder, name));

/** Runs the phases with a sampler beside them. Returns the final lease table. */
async function perform(
  { settings, progress, signal, clock }: ExperimentRun,
  on: TestEnvironment,
): Promise<PlainRow[]> {
  const history = new HistoryWriter(join(on.historyDirectory, "lab.jsonl"));
  const tail = new HistoryTail(on.historyDirectory);
  const table = leaseTable(on.clients, on.deployment.leaseTableName, clock);
  const sampler = new Sampler(
    {
      leases: table,
      listShards: () => listShards(on.clients, on.deployment.streamName),
      flow: () => tail.poll(),
    },
    (event) => history.write(event),
    clock,
    (sample) => progress.sample(sample),
  );
  sampler.start();
  try {
    await runPhases({
      settings,
      sampler,
      controls: controlsOf(on, clock, signal),
      clock,
      signal,
      write: (event) => history.write(event),
      phase: (name, goal) => progress.start(name, goal),
      done: (name, result) => progress.end(name, result.ok, result.text),
    });
    history.write({ type: "event", t: clock.wallMillis(), name: "stop-requested" });
    return await exportLeases(on.clients, on.deployment.leaseTableName);
  } finally {
    await sampler.stop();
    await history.close();
  }
}

function controlsOf(environment: TestEnvironment, clock: Clock, signal: AbortSignal): Controls {
  const { clients, deployment } = environment;
  const wait = { clock, signal, timeoutMillis: WORKFLOW_TIMEOUT_MILLIS };
  return {
    reshard: async (targetShards) => {
      await rebalance(clients, deployment, { targetShards }, wait);
    },
    scale: async (targetTasks) => {
      await rebalance(clients, deployment, { targetTasks }, wait);
    },
    stopProducer: async () => setDesiredCount(clients, deployment, deployment.producerServiceName, 0),
  };
}
