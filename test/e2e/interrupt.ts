/**
 * Interrupts `npm start` and `npx evenkeel experiment` in each of their phases, in each of the ways in which
 * a run is ended from outside, and checks whether anything is left: processes, ports, the running endpoint's
 * record. Ends with two whole runs in a row. It takes half an hour, so it is run by hand:
 *
 *   npm run test:interrupt [-- <phase, way or command> …]      EVENKEEL_PORT chooses the port
 *
 * `-- ctrl-c kill npx` is every phase of `npx evenkeel experiment`, in two ways.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inProject } from "../../lab/project.ts";
import { portsFromEnvironment } from "../../local/index.ts";
import { systemClock } from "../../src/platform.ts";
import { type Family, familyOf, living } from "../integration/endpoint/processes.ts";
import { until } from "../integration/endpoint/until.ts";

const PHASES = [
  "endpoint",
  "bootstrap",
  "deploy",
  "initial-balance",
  "split",
  "scale",
  "drain",
  "report",
  "destroy",
];
interface Way {
  readonly signal: NodeJS.Signals;
  /** A terminal and systemd signal every process of the group; `kill` signals only the typed command. */
  readonly toGroup: boolean;
}
const WAYS: Readonly<Record<string, Way>> = {
  "ctrl-c": { signal: "SIGINT", toGroup: true },
  interrupt: { signal: "SIGINT", toGroup: false },
  kill: { signal: "SIGTERM", toGroup: false },
  "kill-group": { signal: "SIGTERM", toGroup: true },
  "terminal-closed": { signal: "SIGHUP", toGroup: true },
};
const out = mkdtempSync(join(tmpdir(), "evenkeel-interrupt-"));
const SMALL = ["--shards", "4", "--split-to", "6", "--pods", "2", "--scale-to", "3", "--rate", "50"];
const OPTIONS = [...SMALL, "--application", "interrupted", "--out", out];
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  npm: ["npm", "start", "--", ...OPTIONS],
  npx: ["npx", "evenkeel", "experiment", ...OPTIONS],
};

interface Run {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Resolves when a line that begins phase `name` was written. */
  reaches(name: string): Promise<void>;
  readonly ended: Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }>;
}

function start(command: string): Run {
  const [program, ...words] = COMMANDS[command]!;
  const child = spawn(program!, words, {
    cwd: inProject(),
    detached: true, // a process group of its own, like a shell's foreground job
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  const lines: string[] = [];
  const waiting = new Map<string, () => void>();
  createInterface({ input: child.stderr! }).on("line", (line) => {
    lines.push(line);
    const phase = /^ *[\d.:ms hmin]+ {2}([\w-]+): (?!ok|FAILED)/.exec(line)?.[1];
    if (phase !== undefined) waiting.get(phase)?.();
  });
  return {
    child,
    lines,
    reaches: (name) => new Promise((resolve) => waiting.set(name, resolve)),
    ended: once(child, "close").then(([exitCode, signal]) => ({ exitCode, signal })),
  };
}

/** What is left of `family`, after the short time that the watchdog's last kill may take. */
async function leftOf(family: Family): Promise<string[]> {
  try {
    await until("all processes are gone", async () => living(family).length === 0);
  } catch {
    // The caller reports them, each by name.
  }
  return living(family).map((process) => `process ${process} lives on`);
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

async function leftBehind(family: Family): Promise<string[]> {
  const problems = await leftOf(family);
  for (const port of Object.values(portsFromEnvironment(process.env)))
    if (!(await isFree(port))) problems.push(`port ${port} is still taken`);
  if (existsSync(inProject(".evenkeel", "endpoint.json"))) problems.push(".evenkeel/endpoint.json is left");
  return problems;
}

async function interrupt(command: string, phase: string, way: string): Promise<string[]> {
  const { signal, toGroup } = WAYS[way]!;
  const run = start(command);
  const reached = await Promise.race([run.reaches(phase).then(() => true), run.ended.then(() => false)]);
  if (!reached) return [`it ended before ${phase}: ${run.lines.at(-1) ?? "without a word"}`];
  const family = familyOf(run.child.pid!);
  const at = systemClock.monotonicMillis();
  process.kill(toGroup ? -run.child.pid! : run.child.pid!, signal);
  const { exitCode: given, signal: endedBy } = await run.ended;
  // npm ends by the same signal, which a shell shows as 128 + its number.
  const exitCode = given ?? (endedBy === null ? undefined : 128 + constants.signals[endedBy]);
  const seconds = (systemClock.monotonicMillis() - at) / 1_000;
  const problems = await leftBehind(family);
  const interrupted = [130, 128 + constants.signals[signal]];
  // From `report` on the run is over: it may end with its verdict.
  const isOver = ["report", "destroy"].includes(phase);
  const wanted = isOver ? [0, ...interrupted] : interrupted;
  if (!wanted.includes(exitCode ?? -1))
    problems.push(`it ended with ${exitCode}, not ${wanted.join(" or ")}: ${run.lines.at(-1)}`);
  const goesOn = run.lines.findIndex((line) => line.includes("stopped, and everything put away")) < 0;
  if (goesOn && !isOver) problems.push("it went on to the end");
  if (run.lines.some((line) => /^\s+at /.test(line))) problems.push("it showed a stack");
  const verdict = problems.length === 0 ? "ok" : "NOT OK";
  console.log(
    `${command}  ${phase.padEnd(16)} ${way.padEnd(16)} ${String(family.size).padStart(2)} processes gone in ${seconds.toFixed(1)} s: ${verdict}`,
  );
  return problems;
}

/**
 * Phases after which the next run finds a starting endpoint, a half-made stack, or one that is being
 * destroyed.
 */
const AT_ONCE_PHASES = ["endpoint", "deploy", "destroy"];

/** npm ends before the command that it ran: the next command is typed while that one still cleans up. */
async function atOnce(phase: string): Promise<string[]> {
  const run = start("npm");
  await Promise.race([run.reaches(phase), run.ended]);
  const gone = once(run.child, "exit");
  run.child.kill("SIGTERM");
  await gone;
  return whole(`a whole run, typed when npm had just been killed in ${phase}`);
}

async function whole(title: string): Promise<string[]> {
  const run = start("npm");
  const family = run.reaches("drain").then(() => familyOf(run.child.pid!));
  const { exitCode } = await run.ended;
  const problems = exitCode === 0 ? await leftBehind(await family) : [`it ended with ${exitCode}`];
  if (problems.length > 0) problems.push(...run.lines.slice(-3));
  console.log(`${title}: ${problems.length === 0 ? "ok" : "NOT OK"}`);
  return problems;
}

const DIMENSIONS = { phases: PHASES, ways: Object.keys(WAYS), commands: Object.keys(COMMANDS) };
const words = process.argv.slice(2);
const known = Object.values(DIMENSIONS).flat();
const unknown = words.find((word) => !known.includes(word));
if (unknown !== undefined) {
  console.error(`${unknown} is no phase, way or command; choose from ${known.join(", ")}`);
  process.exit(2);
}
/** The named ones, or all. */
const chosen = (all: readonly string[]): readonly string[] => {
  const named = all.filter((name) => words.includes(name));
  return named.length > 0 ? named : all;
};
let failures = 0;
const report = (problems: string[]) => {
  for (const problem of problems) console.log(`    ${problem}`);
  if (problems.length > 0) failures++;
};
report(await leftBehind(new Map())); // what existed before is not judged
for (const command of chosen(DIMENSIONS.commands))
  for (const way of chosen(DIMENSIONS.ways))
    for (const phase of chosen(DIMENSIONS.phases)) report(await interrupt(command, phase, way));
for (const phase of AT_ONCE_PHASES) report(await atOnce(phase));
report(await whole("a whole run after all of these"));
report(await whole("and one more in a row"));
rmSync(out, { recursive: true, force: true });
console.log(failures === 0 ? "nothing was ever left" : `${failures} left something or ended wrongly`);
process.exitCode = failures === 0 ? 0 : 1;
