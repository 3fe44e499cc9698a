/**
 * `npm run simulate -- --seeds 1000 [--from N] [--jobs 2]`, `-- --seed N [--verbose]`, `-- --scale`,
 * `-- --crash-loop`. `--draws 2`: a seed as it was before the third generation of draws. `--only outage`: one
 * kind of fault alone; `--kinds` lists them.
 *
 * Exit code 0: every invariant held in every seed; 1: not; 2: wrong usage.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { complaint } from "./checkers/judge.ts";
import { runCrashLoops } from "./crash-loop.ts";
import { startEngine } from "./engine.ts";
import { FAULT_KIND_NAMES, FAULT_KINDS, type FaultKind } from "./faults/plan.ts";
import { MUTATIONS, type Mutation } from "./mutation.ts";
import { runSeed } from "./run.ts";
import { runScale } from "./scale.ts";
import { type Draws, describeSwarm } from "./swarm.ts";

/** What determines a run besides its seed. */
interface World {
  readonly mutation: Mutation | undefined;
  readonly draws: Draws;
  /** Of the third generation, only this kind of fault and no other. */
  readonly only: FaultKind | undefined;
}

interface SeedOutcome {
  readonly seed: number;
  readonly steps: number;
  readonly virtualMillis: number;
  readonly complaint: string | undefined;
}

const USAGE =
  "usage: npm run simulate -- [--seeds 1000] [--from 1] [--jobs 1] [--mutation NAME] [--draws 4] [--only KIND] | --seed N [--verbose] | --scale [--large] | --crash-loop | --kinds";

async function main(): Promise<number> {
  const asked = readArguments();
  if (typeof asked === "string") {
    process.stderr.write(`simulate: ${asked}\n${USAGE}\n`);
    return 2;
  }
  if (asked.kinds) return listKinds();
  if (asked.scale) return scale(asked.large);
  if (asked.crashLoop) return crashLoops();
  if (asked.seed !== undefined) return replay(asked.seed, asked.verbose, asked.world);
  if (asked.child) return runAsChild(asked.from, asked.seeds, asked.world);
  return runMany(asked);
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: "string", default: "1000" },
        from: { type: "string", default: "1" },
        jobs: { type: "string", default: "1" },
        seed: { type: "string" },
        verbose: { type: "boolean", default: false },
        mutation: { type: "string" },
        draws: { type: "string", default: "4" },
        only: { type: "string" },
        kinds: { type: "boolean", default: false },
        scale: { type: "boolean", default: false },
        "crash-loop": { type: "boolean", default: false },
        large: { type: "boolean", default: false },
        child: { type: "boolean", default: false },
      },
    });
    const mutation = MUTATIONS.find(({ name }) => name === values.mutation);
    if (values.mutation !== undefined && mutation === undefined) {
      return `no mutation "${values.mutation}"; there are ${MUTATIONS.map(({ name }) => name).join(", ")}`;
    }
    const numbers = { seeds: Number(values.seeds), from: Number(values.from), jobs: Number(values.jobs) };
    const seed = values.seed === undefined ? undefined : Number(values.seed);
    for (const [name, value] of Object.entries({ ...numbers, seed: seed ?? 1 })) {
      if (!Number.isInteger(value) || value < 1) return `--${name} must be a whole number from 1 on`;
    }
    const draws = ([1, 2, 3, 4] as const).find((generation) => String(generation) === values.draws);
    if (draws === undefined) return "--draws must be 1, 2, 3 or 4";
    const only = FAULT_KIND_NAMES.find((name) => name === (values.only ?? mutation?.only));
    if (values.only !== undefined && only === undefined)
      return `no kind "${values.only}"; there are ${FAULT_KIND_NAMES.join(", ")}`;
    const { verbose, scale, large, child, kinds, "crash-loop": crashLoop } = values;
    const world = { mutation, draws, only };
    return { ...numbers, seed, verbose, scale, crashLoop, large, child, kinds, world };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function scale(large: boolean): Promise<number> {
  return (await runScale((line) => process.stdout.write(`${line}\n`), large)) ? 0 : 1;
}

async function crashLoops(): Promise<number> {
  await runCrashLoops((line) => process.stdout.write(`${line}\n`));
  return 0;
}

function listKinds(): number {
  for (const name of FAULT_KIND_NAMES)
    process.stdout.write(`${FAULT_KINDS[name].ready ? "drawn" : "alone"}  ${name}\n`);
  return 0;
}

async function replay(seed: number, verbose: boolean, world: World): Promise<number> {
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const result = await runSeed(seed, { startEngine, ...world, verbose: verbose ? say : undefined });
  say(`seed ${seed}\n${describeSwarm(result.swarm)}`);
  for (const [law, verdict] of Object.entries(result.verdicts)) {
    say(`${verdict.kind.padEnd(8)} ${law}`);
    if (verdict.kind === "invalid") say(`  ${verdict.witness}`);
    if (verdict.kind === "unknown") say(`  ${verdict.reason}`);
  }
  const converged = result.convergedAfterMillis;
  say(
    `${result.steps} events in ${(result.virtualMillis / 1_000).toFixed(1)} virtual seconds, converged ${converged === undefined ? "never" : `${(converged / 1_000).toFixed(1)} s after healing`}, trace ${result.traceHash}`,
  );
  return result.ok ? 0 : 1;
}

async function runOne(seed: number, world: World): Promise<SeedOutcome> {
  const { steps, virtualMillis, ...report } = await runSeed(seed, { startEngine, ...world });
  return { seed, steps, virtualMillis, complaint: complaint(report) };
}

async function runAsChild(from: number, seeds: number, world: World): Promise<number> {
  for (let seed = from; seed < from + seeds; seed++) process.send?.(await runOne(seed, world));
  return 0;
}

async function runMany(asked: { from: number; seeds: number; jobs: number; world: World }) {
  const { from, seeds, jobs, world } = asked;
  const startedAt = performance.now();
  const total = { done: 0, failed: 0, steps: 0, virtualMillis: 0 };
  const heard = (outcome: SeedOutcome) => {
    total.done += 1;
    total.steps += outcome.steps;
    total.virtualMillis += outcome.virtualMillis;
    if (outcome.complaint !== undefined) {
      total.failed += 1;
      clearProgress();
      process.stdout.write(
        `seed ${outcome.seed} FAILED  ${outcome.complaint}\n  replay: npm run simulate -- --seed ${outcome.seed} --verbose${optionsOf(
          world,
        )
          .map((option) => ` ${option}`)
          .join("")}\n`,
      );
    }
    showProgress(total.done, seeds, total.failed);
  };
  if (jobs === 1) {
    for (let seed = from; seed < from + seeds; seed++) heard(await runOne(seed, world));
  } else {
    const share = Math.ceil(seeds / jobs);
    const starts = Array.from({ length: jobs }, (_, job) => from + job * share).filter(
      (start) => start < from + seeds,
    );
    const children = starts.map((start) =>
      startChild(start, Math.min(share, from + seeds - start), world, heard),
    );
    const codes = await Promise.all(children);
    if (codes.some((code) => code !== 0)) {
      process.stderr.write("simulate: a job ended before its seeds were done\n");
      total.failed += 1;
    }
  }
  clearProgress();
  const seconds = (performance.now() - startedAt) / 1_000;
  process.stdout.write(
    `${total.done} seeds (${from} to ${from + seeds - 1}), ${total.failed} failed, ${total.steps} events, ${(total.virtualMillis / 3_600_000).toFixed(1)} virtual hours in ${seconds.toFixed(1)} s\n`,
  );
  return total.failed === 0 && total.done === seeds ? 0 : 1;
}

const optionsOf = ({ mutation, draws, only }: World): string[] => [
  ...(mutation === undefined ? [] : ["--mutation", mutation.name]),
  ...(draws === 4 ? [] : ["--draws", String(draws)]),
  ...(only === undefined ? [] : ["--only", only]),
];

function startChild(
  from: number,
  seeds: number,
  world: World,
  heard: (outcome: SeedOutcome) => void,
): Promise<number> {
  const options = ["--child", "--from", String(from), "--seeds", String(seeds), ...optionsOf(world)];
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(import.meta.url), options, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    child.on("message", (message) => heard(message as SeedOutcome));
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

let shownAt = 0;

function showProgress(done: number, seeds: number, failed: number): void {
  if (!process.stdout.isTTY || performance.now() - shownAt < 200) return;
  shownAt = performance.now();
  process.stdout.write(`\r${done}/${seeds} seeds, ${failed} failed `);
}

function clearProgress(): void {
  if (process.stdout.isTTY) process.stdout.write("\r\u001b[K");
}

process.exitCode = await main();
