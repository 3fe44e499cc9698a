/**
 * `npx tsx test/simulation/fingerprints.ts [--write]` runs 500 seeds and compares what they did with
 * `fingerprints.txt` (see `fingerprint.ts`), or writes that file. For renames and moves, which must change
 * nothing. Exit code 0: all equal; 1: some differ; 2: wrong usage.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startEngine } from "./engine.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { runSeed } from "./run.ts";

const FILE = new URL("fingerprints.txt", import.meta.url);
const SEEDS = 500;

async function main(): Promise<number> {
  const writes = isToWrite();
  if (typeof writes === "string") {
    process.stderr.write(
      `fingerprints: ${writes}\nusage: npx tsx test/simulation/fingerprints.ts [--write]\n`,
    );
    return 2;
  }
  const known = writes ? new Map<number, string>() : readKnown();
  const lines: string[] = [];
  let other = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { fingerprint } = await runSeed(seed, { startEngine, fingerprints: true });
    const line = lineOf(seed, fingerprint!);
    lines.push(line);
    if (process.stderr.isTTY) process.stderr.write(`\r${seed} of ${SEEDS}`);
    if (writes || known.get(seed) === line) continue;
    other += 1;
    const isOutcomeEqual = known.get(seed)?.split(" ")[2] === fingerprint!.outcome;
    process.stdout.write(
      `seed ${seed}: ${isOutcomeEqual ? "the outcome is equal, the way to it is not" : "another outcome"}\n`,
    );
  }
  if (process.stderr.isTTY) process.stderr.write("\n");
  if (writes) writeFileSync(FILE, `${lines.join("\n")}\n`);
  process.stdout.write(writes ? `${SEEDS} seeds written\n` : `${SEEDS} seeds, ${other} differ\n`);
  return other > 0 ? 1 : 0;
}

function isToWrite(): boolean | string {
  try {
    return parseArgs({ options: { write: { type: "boolean", default: false } } }).values.write;
  } catch (error) {
    return (error as Error).message;
  }
}

const readKnown = (): Map<number, string> =>
  new Map(
    readFileSync(FILE, "utf8")
      .trim()
      .split("\n")
      .map((line) => [Number(line.split(" ")[0]), line]),
  );

const lineOf = (seed: number, { full, outcome }: Fingerprint): string => `${seed} ${full} ${outcome}`;

process.exitCode = await main();
