import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import type { Clock } from "../src/ports/clock.ts";
import { EndpointError } from "./errors.ts";
import { signalGroup, type Watchdog } from "./watchdog.ts";

const START_DEADLINE_MILLIS = 60_000;
const LOOK_EVERY_MILLIS = 50;

export interface PartOptions {
  name: string;
  command: string;
  args: string[];
  workingDirectory: string;
  environment: NodeJS.ProcessEnv;
  logFile: string;
  watchdog: Watchdog;
  clock: Clock;
  /** Whether the part answers yet. */
  answers: () => Promise<boolean>;
}

/** A server process of the endpoint. If it ends without a call of `stop`, the whole endpoint has failed. */
export class Part {
  readonly #options: PartOptions;
  readonly #child: ChildProcess;
  #end: string | undefined;
  #isStopping = false;

  constructor(options: PartOptions, onFailure: (error: EndpointError) => void) {
    this.#options = options;
    const log = openSync(options.logFile, "w");
    this.#child = spawn(options.command, options.args, {
      cwd: options.workingDirectory,
      env: options.environment,
      detached: true,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    const ended = (how: string) => {
      this.#end ??= how;
      if (this.#child.pid !== undefined) options.watchdog.remove(this.#child.pid);
      if (!this.#isStopping) onFailure(this.#failure());
    };
    this.#child.once("error", (error) => ended(error.message));
    this.#child.once("exit", (code, signal) => ended(signal ? `ended by ${signal}` : `exit code ${code}`));
    if (this.#child.pid !== undefined) options.watchdog.add(this.#child.pid);
  }

  /**
   * Resolves when the part answers. Throws an EndpointError if the part ends first, or does not answer in
   * time.
   */
  async ready(): Promise<void> {
    const { clock, name, logFile, answers } = this.#options;
    const deadline = clock.monotonicMillis() + START_DEADLINE_MILLIS;
    while (!(await answers())) {
      if (this.#end !== undefined) throw this.#failure();
      if (clock.monotonicMillis() > deadline)
        throw new EndpointError(
          `${name} did not answer within ${START_DEADLINE_MILLIS / 1000} s: see ${logFile}`,
        );
      await clock.sleep(LOOK_EVERY_MILLIS);
    }
  }

  /** Kills the whole process group. The part's state is only in memory, so there is nothing to save. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const { pid } = this.#child;
    if (pid === undefined) return;
    const ended =
      this.#end === undefined ? new Promise((resolve) => this.#child.once("exit", resolve)) : undefined;
    signalGroup(pid, "SIGKILL");
    await ended;
  }

  #failure(): EndpointError {
    const { name, logFile } = this.#options;
    const lastLine = readFileSync(logFile, "utf8").trimEnd().split("\n").at(-1)?.trim() ?? "";
    return new EndpointError(
      `${name} stopped unexpectedly (${this.#end}): ${lastLine.slice(0, 200)} (log: ${logFile})`,
    );
  }
}
