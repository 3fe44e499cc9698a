/** Child processes with output to a log file, a time limit, and a stop that leaves no process behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { relative } from "node:path";
import { createInterface } from "node:readline";
import { CommandError, Interrupted } from "../errors.ts";
import { projectRoot } from "../project.ts";

export interface ChildRun {
  /** For messages: "cdklocal deploy". */
  readonly name: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly timeoutMillis: number;
  readonly signal: AbortSignal;
}

/**
 * Children run in their own process groups. A hard exit of this process (a second Ctrl-C) must not leave them
 * behind.
 */
const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) killGroup(child, "SIGKILL");
});

/**
 * Resolves when the child ended with 0. Otherwise throws a CommandError with the log's last relevant line and the
 * log's path.
 */
export async function runLogged(run: ChildRun): Promise<void> {
  if (run.signal.aborted) throw new Interrupted(run.name);
  const log = openSync(run.logFile, "a");
  const from = statSync(run.logFile).size;
  try {
    // In its own process group: a Ctrl-C of the terminal reaches only this process, which then stops the
    // whole group.
    const child = spawn(run.command, run.arguments, {
      cwd: projectRoot,
      env: run.environment,
      stdio: ["ignore", log, log],
      detached: true,
    });
    living.add(child);
    const ended = await outcome(child, run).finally(() => living.delete(child));
    if (ended === "interrupted") throw new Interrupted(run.name);
    if (ended === 0) return;
    const why =
      ended === "timeout" ? `took over ${run.timeoutMillis / 1_000} s` : lastTellingLine(run.logFile, from);
    throw new CommandError(`${run.name} failed: ${why} (all of it: ${relative(projectRoot, run.logFile)})`);
  } finally {
    closeSync(log);
  }
}

function outcome(child: ChildProcess, run: ChildRun): Promise<number | "timeout" | "interrupted"> {
  return new Promise((resolve, reject) => {
    let ending: "timeout" | "interrupted" | undefined;
    const stop = (why: "timeout" | "interrupted") => {
      ending ??= why;
      killGroup(child, "SIGKILL");
    };
    const timeout = AbortSignal.timeout(run.timeoutMillis);
    const onTimeout = () => stop("timeout");
    const onAbort = () => stop("interrupted");
    const settle = () => {
      timeout.removeEventListener("abort", onTimeout);
      run.signal.removeEventListener("abort", onAbort);
    };
    timeout.addEventListener("abort", onTimeout, { once: true });
    run.signal.addEventListener("abort", onAbort, { once: true });
    child.once("error", (error) => {
      settle();
      reject(
        new CommandError(`${run.name} cannot be started: ${error.message}; run \`npx evenkeel doctor\``),
      );
    });
    child.once("exit", (code) => {
      settle();
      resolve(ending ?? code ?? 1);
    });
  });
}

/** Signals the child and its descendants. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The last line that names an error, else the last line. */
function lastTellingLine(logFile: string, from: number): string {
  const escapeCharacter = String.fromCharCode(27);
  const lines = readFileSync(logFile)
    .subarray(from)
    .toString("utf8")
    .replaceAll(new RegExp(`${escapeCharacter}\\[[0-9;]*m`, "g"), "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const telling = lines.findLast((line) => /error|fail|❌|‣|denied|refused/i.test(line)) ?? lines.at(-1);
  return telling?.slice(0, 200) ?? "it said nothing";
}

export interface ForegroundRun {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** On abort the child gets SIGTERM and ends in its own time. */
  readonly signal: AbortSignal;
  /** Receives the output line by line. @default - the output goes unchanged to this process's output */
  readonly onLine?: (line: string) => void;
  readonly onStart?: (pid: number) => void;
}

/**
 * Runs a service in the foreground. Resolves with its exit code, or with the name of the signal that ended
 * it. The IPC channel tells the child when this process ends, even by SIGKILL. Otherwise the child would keep
 * holding leases unnoticed.
 */
export function runForeground(run: ForegroundRun): Promise<number | NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    const child = spawn(run.command, run.arguments, {
      cwd: projectRoot,
      env: run.environment,
      stdio: ["ignore", run.onLine ? "pipe" : "inherit", "inherit", "ipc"],
      detached: true,
    });
    living.add(child);
    if (child.pid !== undefined) run.onStart?.(child.pid);
    if (run.onLine && child.stdout) createInterface({ input: child.stdout }).on("line", run.onLine);
    const onAbort = () => void child.kill("SIGTERM");
    if (run.signal.aborted) onAbort();
    run.signal.addEventListener("abort", onAbort, { once: true });
    child.once("error", (error) => {
      living.delete(child);
      reject(new CommandError(`${run.arguments[0]} cannot be started: ${error.message}`));
    });
    child.once("close", (code, signal) => {
      living.delete(child);
      run.signal.removeEventListener("abort", onAbort);
      resolve(code ?? signal ?? 1);
    });
  });
}
