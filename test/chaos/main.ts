/**
 * `npm run chaos`: faults on real processes, row by row. Last line: `N rows, N failed`.
 *
 * Exit code 0: every row is as expected; 1: not; 2: wrong usage; 130: interrupted.
 */
import { setMaxListeners } from "node:events";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { inProject } from "../../lab/project.ts";
import { CampaignProgress, runCampaign } from "./campaign.ts";
import { closedEnvironment } from "./environment.ts";
import { matrixPage } from "./matrix.ts";
import { resultLines } from "./report.ts";
import type { RowResult } from "./row.ts";
import { ROWS } from "./rows/index.ts";
import { openSite } from "./site.ts";

const DEFAULT_SEED = 1;
/** A fleet makes some eight calls a second of the 60 that kinesis-local answers on two quiet cores. */
const ROWS_AT_ONCE = 3;
/** Factor for the durations of faults with `--all`. */
const LONG = 3;

const USAGE = `usage: npm run chaos [-- options]
  --row NAME        only this row; may be given several times
  --seed N          another choice of workers, shards, moments and calls (default ${DEFAULT_SEED})
  --all             faults last three times as long
  --at-once N       rows that run at the same time (default ${ROWS_AT_ONCE})
  --list            the names of the rows, and what they do
  --write FILE      writes the matrix, such as docs/chaos.md
  --help`;

interface Asked {
  readonly names: readonly string[];
  readonly seed: number;
  readonly atOnce: number;
  readonly scale: number;
  readonly write: string | undefined;
  readonly print: "list" | "help" | undefined;
}

function readArguments(): Asked | string {
  try {
    const { values } = parseArgs({
      options: {
        row: { type: "string", multiple: true, default: [] },
        seed: { type: "string", default: String(DEFAULT_SEED) },
        all: { type: "boolean", default: false },
        "at-once": { type: "string", default: String(ROWS_AT_ONCE) },
        list: { type: "boolean", default: false },
        write: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    const unknown = values.row.find((name) => !ROWS.some((row) => row.name === name));
    if (unknown !== undefined) return `no row "${unknown}"; see \`npm run chaos -- --list\``;
    const seed = whole("--seed", values.seed, 0, 2 ** 31);
    const atOnce = whole("--at-once", values["at-once"], 1, 64);
    if (typeof seed === "string") return seed;
    if (typeof atOnce === "string") return atOnce;
    return {
      ...{ names: values.row, seed, atOnce, scale: values.all ? LONG : 1, write: values.write },
      print: values.help ? "help" : values.list ? "list" : undefined,
    };
  } catch (error) {
    return (error as Error).message;
  }
}

function whole(name: string, text: string, least: number, most: number): number | string {
  const value = Number(text);
  return Number.isInteger(value) && value >= least && value <= most
    ? value
    : `${name} is "${text}"; expected a whole number from ${least} to ${most}`;
}

async function main(): Promise<number> {
  const asked = readArguments();
  if (typeof asked === "string") {
    process.stderr.write(`chaos: ${asked}\n${USAGE}\n`);
    return 2;
  }
  if (asked.print === "help") process.stdout.write(`${USAGE}\n`);
  if (asked.print === "list")
    for (const { name, about } of ROWS) process.stdout.write(`${name.padEnd(24)} ${about}\n`);
  if (asked.print !== undefined) return 0;
  const rows = asked.names.length === 0 ? ROWS : ROWS.filter(({ name }) => asked.names.includes(name));
  const stopping = new AbortController();
  // Every wait of every row listens to it.
  setMaxListeners(0, stopping.signal);
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stopping.abort());
  closedEnvironment();
  const site = await openSite("chaos");
  const progress = new CampaignProgress();
  let results: RowResult[];
  const called = new Set<string>();
  try {
    results = await runCampaign({
      ...{ rows, site, seed: asked.seed, atOnce: asked.atOnce, scale: asked.scale, signal: stopping.signal },
      onRow: (result) => {
        for (const line of resultLines(result)) progress.print(line);
      },
      onCalls: (operation) => called.add(operation),
      onProgress: (doing, left) => progress.draw(doing, left),
    });
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    process.stderr.write("chaos: interrupted\n");
    return 130;
  } finally {
    progress.close();
    await site.close();
  }
  if (asked.write !== undefined) writeFileSync(asked.write, matrixPage(results, asked.seed, called));
  writeFileSync(
    inProject(".evenkeel", "chaos", "results.json"),
    `${JSON.stringify(results, undefined, 2)}\n`,
  );
  const failed = results.filter(({ ok }) => !ok).length;
  process.stdout.write(`${results.length} rows, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
