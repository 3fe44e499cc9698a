/** The embedded AWS endpoint: start it, find the running one, and use the gateway's operations beyond AWS. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { systemClock } from "../src/platform.ts";
import { endpointAdmin } from "./admin-client.ts";
import type { ImageTable } from "./containers/images.ts";
import type { ContainerProcess } from "./containers/runtime.ts";
import { EndpointError } from "./errors.ts";
import type { MainOptions, Report } from "./main.ts";
import { type EndpointRecord, readRecord } from "./record.ts";
import { type EndpointPorts, portsFromEnvironment, projectRoot, runtimeFolder } from "./settings.ts";
import { isolatedEnvironment, toolEnvironment } from "./tool-environment.ts";

export { type EndpointAdmin, type EndpointHealth, endpointAdmin } from "./admin-client.ts";
export type { ImageCommand, ImageTable } from "./containers/images.ts";
export type { ContainerProcess, ProcessSignal } from "./containers/runtime.ts";
export { EndpointError } from "./errors.ts";
export type { CallCount } from "./gateway/calls.ts";
export { FAULT_KINDS, type FaultKind, type FaultRule } from "./gateway/faults.ts";
export { type EndpointPorts, freePorts, portsFromEnvironment } from "./settings.ts";
export {
  type EndpointCredentials,
  endpointClientConfig,
  endpointVariables,
  isolatedEnvironment,
  REGION,
  strayVariables,
  TEST_CREDENTIALS,
  toolEnvironment,
} from "./tool-environment.ts";

export interface StartOptions {
  /** Default: EVENKEEL_PORT, or 4566. */
  ports?: EndpointPorts;
  /** Images in addition to evenkeel/consumer and evenkeel/producer: name → program. */
  images?: ImageTable;
  /** Whether other commands can find this endpoint through `.evenkeel/endpoint.json`. Default: true. */
  announce?: boolean;
  /**
   * Keep it running when this process ends (`npm run up`). Default: false. It then ends with this process,
   * even if that is killed.
   */
  detached?: boolean;
  /** Default: `.evenkeel/logs`. */
  logFolder?: string;
}

export interface Endpoint {
  /** The address for every AWS client. */
  url: string;
  /** The process id of the supervisor. */
  pid: number;
  ports: EndpointPorts;
  /** Variables for AWS tools and SDKs; see `toolEnvironment`. */
  environment: Record<string, string>;
  /** The running processes of ECS tasks. */
  processes: () => Promise<ContainerProcess[]>;
  /** Resolves with the reason if the endpoint ends without a call of `stop`. Otherwise never resolves. */
  failure: Promise<EndpointError>;
  /** Stops the tasks (SIGTERM, then SIGKILL after 5 s) and all parts. Resolves when no process is left. */
  stop: () => Promise<void>;
}

/** An endpoint that another process started. */
export type RunningEndpoint = EndpointRecord & Pick<Endpoint, "environment" | "processes" | "stop">;

const OPTIONS_VARIABLE: typeof import("./main.ts").OPTIONS_VARIABLE = "EVENKEEL_ENDPOINT_OPTIONS";
const STOP_DEADLINE_MILLIS = 15_000;

/**
 * Starts the endpoint as a separate process, after bringing the consumer and producer bundles up to date.
 * Resolves when all parts answer. Throws EndpointError: exit code 2 for a port in use or a missing
 * installation, 1 when a part fails.
 */
export async function startEndpoint(options: StartOptions = {}): Promise<Endpoint> {
  const settings: MainOptions = {
    ports: options.ports ?? portsFromEnvironment(process.env),
    images: options.images ?? {},
    announce: options.announce ?? true,
    detached: options.detached ?? false,
    logFolder: options.logFolder ?? join(runtimeFolder(), "logs"),
  };
  await bundlePrograms();
  mkdirSync(settings.logFolder, { recursive: true });
  const log = openSync(join(settings.logFolder, "endpoint.log"), "w");
  const child = spawn(process.execPath, [join(runtimeFolder(), "build/local.mjs")], {
    cwd: projectRoot(),
    env: { ...isolatedEnvironment(process.env), [OPTIONS_VARIABLE]: JSON.stringify(settings) },
    // In its own process group: Ctrl-C reaches only this process, which then stops the endpoint in order.
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  const ended = once(child, "exit");
  const failure = new Promise<EndpointError>((resolve) => {
    child.on("message", (report: Report) => {
      if (report.type === "failed") resolve(new EndpointError(report.message, report.exitCode));
    });
    void ended.then(([code, signal]) =>
      resolve(
        new EndpointError(
          `The AWS endpoint ended (${signal ?? `exit code ${code}`}): see ${settings.logFolder}`,
        ),
      ),
    );
  });
  const ready = new Promise<undefined>((resolve) => {
    child.on("message", (report: Report) => report.type === "ready" && resolve(undefined));
  });
  const problem = await Promise.race([ready, failure]);
  if (problem) throw problem;
  if (settings.detached) {
    child.disconnect();
    child.unref();
  }
  const url = `http://127.0.0.1:${settings.ports.gateway}`;
  let isStopping = false;
  const stop = async () => {
    isStopping = true;
    child.kill("SIGTERM");
    if (child.exitCode === null && child.signalCode === null) await ended;
  };
  return {
    url,
    pid: child.pid!,
    ports: settings.ports,
    environment: toolEnvironment({ url }),
    processes: () => endpointAdmin(url).processes(),
    failure: new Promise((resolve) => void failure.then((error) => !isStopping && resolve(error))),
    stop,
  };
}

/**
 * The endpoint that runs for this clone, if any. An endpoint that is stopping is waited for, because the next
 * one needs its ports. Only the gateway is asked: on a busy machine a part may take seconds to answer, but
 * the endpoint can still be used or stopped.
 */
export async function findEndpoint(): Promise<RunningEndpoint | undefined> {
  const record = readRecord();
  if (!record || !isAlive(record.pid)) return undefined;
  if (record.isStopping) {
    await hasEnded(record.pid);
    return undefined;
  }
  const { processes } = endpointAdmin(record.url);
  try {
    await processes();
  } catch (error) {
    if (error instanceof EndpointError) return undefined;
    throw error;
  }
  const stop = async () => {
    process.kill(record.pid, "SIGTERM");
    if (!(await hasEnded(record.pid)))
      throw new EndpointError(
        `The AWS endpoint (process ${record.pid}) did not stop in ${STOP_DEADLINE_MILLIS / 1000} s`,
      );
  };
  return { ...record, environment: toolEnvironment({ url: record.url }), processes, stop };
}

/** False: the process is still alive after the time that a stop may take. */
async function hasEnded(pid: number): Promise<boolean> {
  const deadline = systemClock.monotonicMillis() + STOP_DEADLINE_MILLIS;
  while (isAlive(pid)) {
    if (systemClock.monotonicMillis() > deadline) return false;
    await systemClock.sleep(50);
  }
  return true;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The bundler is a plain script that also runs before anything is built, so it is imported by path. */
async function bundlePrograms(): Promise<void> {
  const bundler = pathToFileURL(join(projectRoot(), "tools/bundle.mjs")).href;
  const { bundle } = (await import(bundler)) as { bundle: (names: string[]) => Promise<unknown> };
  await bundle(["local", "consumer", "producer"]);
}
