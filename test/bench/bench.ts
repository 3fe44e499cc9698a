/**
 * `npm run bench [-- name …] [--rounds N] [--json] [--keep]`: measures the goals of docs/experiment.md.
 *
 * Exit code 0: every goal met; 1: not; 2: wrong usage.
 */
import { parseArgs } from "node:util";
import { LiveRegion } from "../../lab/terminal/live-region.ts";
import { wantsColour } from "../../lab/terminal/paint.ts";
import { duration } from "../../lab/terminal/table.ts";
import { systemClock } from "../../src/platform.ts";
import { benchCost } from "./calls.ts";
import { benchCoordination } from "./coordination.ts";
import { type BenchResult, type BenchRun, isMet, renderFigures, toJson } from "./figures.ts";
import { loadText } from "./machine.ts";
import { benchPerRecord } from "./per-record.ts";
import { benchPlan } from "./plan.ts";

interface Bench {
  readonly run: (run: BenchRun) => Promise<BenchResult>;
  readonly about: string;
}

/** In the order of a whole run: the short ones first. */
const BENCHES: Readonly<Record<string, Bench>> = {
  plan: { run: benchPlan, about: "one plan at 10,000 shards × 1,000 workers (3 s)" },
  "per-record": { run: benchPerRecord, about: "CPU and memory a record, against the bare SDK (2 min)" },
  coordination: {
    run: benchCoordination,
    about: "starts, splits, scale-outs, crashes, stops (1.5 min a round)",
  },
  cost: { run: benchCost, about: "calls a minute of 30 shards and 5 workers (3.5 min)" },
};

const USAGE = [
  "usage: npm run bench [-- NAME …] [--rounds 3] [--json] [--keep]",
  ...Object.entries(BENCHES).map(([name, { about }]) => `  ${name.padEnd(13)} ${about}`),
].join("\n");

async function main(): Promise<number> {
  const asked = readArguments();
  if (typeof asked === "string") {
    process.stderr.write(`bench: ${asked}\n${USAGE}\n`);
    return 2;
  }
  if (asked.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const stopping = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stopping.abort());
  let met = true;
  for (const name of asked.names) {
    const before = loadText();
    const startedAt = systemClock.monotonicMillis();
    const result = await withProgress(name, (say) =>
      BENCHES[name]!.run({ rounds: asked.rounds, keep: asked.keep, signal: stopping.signal, say }),
    );
    const took = duration(systemClock.monotonicMillis() - startedAt);
    met &&= result.figures.every((figure) => isMet(figure) !== false);
    const machine = `${before}, at the end ${loadText()}`;
    if (asked.json) process.stdout.write(`${JSON.stringify({ ...toJson(result), machine })}\n`);
    else {
      const lines = renderFigures(result, wantsColour(process.stdout, process.env));
      process.stdout.write(`\n${name}: ${took}, ${before}\n\n${lines.join("\n")}\n`);
    }
  }
  return met ? 0 : 1;
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: "3" },
        json: { type: "boolean", default: false },
        keep: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    const unknown = positionals.find((name) => !(name in BENCHES));
    if (unknown !== undefined) return `no bench "${unknown}"; there are ${Object.keys(BENCHES).join(", ")}`;
    const rounds = Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100)
      return `--rounds is "${values.rounds}"; expected a whole number from 1 to 100`;
    const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
    return { names, rounds, json: values.json, keep: values.keep, help: values.help };
  } catch (error) {
    return (error as Error).message;
  }
}

/** Shows one line of progress on a terminal, and nothing elsewhere. */
async function withProgress<T>(name: string, work: (say: (text: string) => void) => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work(() => undefined);
  const region = new LiveRegion(process.stderr);
  const closing = new AbortController();
  const startedAt = systemClock.monotonicMillis();
  let doing = "starting";
  const draw = () =>
    region.draw([`${name} ${duration(systemClock.monotonicMillis() - startedAt)}  ${doing}`]);
  const redraw = async () => {
    while (!closing.signal.aborted) {
      draw();
      await systemClock.sleep(500, closing.signal);
    }
  };
  const drawing = redraw();
  try {
    return await work((text) => {
      doing = text;
      draw();
    });
  } finally {
    closing.abort();
    await drawing;
    region.close({ erase: true });
  }
}

// The SDK warns every process that its later versions need a newer Node; the version here is pinned.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
