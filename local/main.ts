/**
 * The endpoint as a program. `npm run local` runs it in the foreground. `startEndpoint` runs it as a child
 * process that reports over the IPC channel and ends when that channel closes.
 */
import { join } from "node:path";
import { systemClock, systemRandom } from "../src/platform.ts";
import type { ImageTable } from "./containers/images.ts";
import { type EndpointUnit, runEndpoint } from "./endpoint.ts";
import { EndpointError } from "./errors.ts";
import { markStopping, removeRecord, writeRecord } from "./record.ts";
import { type EndpointPorts, portsFromEnvironment, runtimeFolder } from "./settings.ts";

/** `startEndpoint` passes its options as JSON in this variable. */
export const OPTIONS_VARIABLE = "EVENKEEL_ENDPOINT_OPTIONS";

export interface MainOptions {
  ports: EndpointPorts;
  images: ImageTable;
  logFolder: string;
  /** Write `.evenkeel/endpoint.json`, so that other commands find this endpoint. */
  announce: boolean;
  /** Keep running after the process that started this one has ended. */
  detached: boolean;
}

/** The child's report to its parent. */
export type Report = { type: "ready" } | { type: "failed"; message: string; exitCode: 1 | 2 };

const PARENT_LOOK_MILLIS = 1_000;

async function main(): Promise<void> {
  const given = process.env[OPTIONS_VARIABLE];
  delete process.env[OPTIONS_VARIABLE];
  const options: MainOptions = given
    ? JSON.parse(given)
    : {
        ports: portsFromEnvironment(process.env),
        images: {},
        logFolder: join(runtimeFolder(), "logs"),
        announce: true,
        detached: false,
      };
  const url = `http://127.0.0.1:${options.ports.gateway}`;
  let unit: EndpointUnit | undefined;
  let isEnding = false;
  const end = async (exitCode: number) => {
    if (isEnding) return;
    isEnding = true;
    if (options.announce) markStopping(process.pid);
    await unit?.stop();
    if (options.announce) removeRecord(process.pid);
    process.exit(exitCode);
  };
  const fail = async (error: unknown) => {
    const exitCode = error instanceof EndpointError ? error.exitCode : 1;
    const message =
      error instanceof EndpointError ? error.message : String(error instanceof Error ? error.stack : error);
    if (process.send && process.connected) await report({ type: "failed", message, exitCode });
    else console.error(`evenkeel: ${message}`);
    await end(exitCode);
  };
  // During the start, a signal exits at once: the watchdog then ends everything already started.
  const onSignal = () => (unit ? void end(0) : process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  if (!options.detached) {
    process.on("disconnect", onSignal);
    if (process.env.npm_lifecycle_event === "local") void watchParent(onSignal);
  }

  if (!process.send && process.stderr.isTTY) process.stderr.write("Starting the local AWS endpoint …\r");
  try {
    const onFailure = (error: EndpointError) => void fail(error);
    unit = await runEndpoint({ ...options, clock: systemClock, random: systemRandom, onFailure });
    if (options.announce)
      writeRecord({ url, pid: process.pid, ports: options.ports, startedAt: systemClock.wallMillis() });
    if (process.send) await report({ type: "ready" });
    else
      console.log(
        `AWS endpoint ready at ${url} · in another terminal: eval "$(npx evenkeel env)" · Ctrl-C stops it`,
      );
  } catch (error) {
    await fail(error);
  }
}

function report(message: Report): Promise<void> {
  return new Promise((resolve) => process.send!(message, () => resolve()));
}

/** npm forwards signals, but not its own death by SIGKILL. This process then gets another parent. */
async function watchParent(onGone: () => void): Promise<void> {
  const parent = process.ppid;
  while (process.ppid === parent) await systemClock.sleep(PARENT_LOOK_MILLIS);
  onGone();
}

await main();
