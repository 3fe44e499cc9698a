/**
 * `npm run soak -- --minutes N`: a fleet under load, with occasional splits, merges and restarts.
 *
 * Exit code 0: nothing lost, nothing doubled, and each worker's use of resources stayed the same; 1: not;
 * 2: wrong usage; 130: interrupted.
 */
import { setMaxListeners } from "node:events";
import { writeFileSync } from "node:fs";

import { parseArgs } from "node:util";
import { inProject } from "../../lab/project.ts";
import { systemClock } from "../../src/platform.ts";
import { CampaignProgress } from "./campaign.ts";
import { closedEnvironment } from "./environment.ts";
import { flatnessChecks, picture, type ResourceSample } from "./flatness.ts";
import type { FleetUnderTest } from "./fleet.ts";
import { pick } from "./pick.ts";
import { resultLines } from "./report.ts";
import type { Row } from "./row.ts";
import { runRow } from "./run-row.ts";
import { openSite } from "./site.ts";

const USAGE = "usage: npm run soak [-- --minutes 30] [--seed 1]";
const MILLIS_PER_MINUTE = 60_000;
/** Between two changes of the fleet or the stream, on average. */
const CHANGE_EVERY_MILLIS = 20_000;
const SAMPLES = 180;
/** The stream keeps about the same size. */
const SHARDS = { least: 6, most: 10 };
/** Never restarted: their resources are judged. */
const OLD_WORKERS = 2;

async function main(): Promise<number> {
  const asked = readArguments();
  if (typeof asked === "string") {
    process.stderr.write(`soak: ${asked}\n${USAGE}\n`);
    return 2;
  }
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => stopping.abort());
  closedEnvironment();
  const site = await openSite("soak");
  const progress = new CampaignProgress();
  const samples: ResourceSample[] = [];
  const doing = new Map([["soak", "starting"]]);
  try {
    const row = soakRow(asked.minutes, samples, (text) => {
      doing.set("soak", text);
      progress.draw(doing, 0);
    });
    const result = await runRow({
      ...{ row, site, seed: asked.seed, scale: 1, signal: stopping.signal, onPhase: () => undefined },
    });
    for (const line of [...resultLines(result), ...picture(samples)]) progress.print(line);
    const file = inProject(".evenkeel", "soak", "samples.json");
    writeFileSync(file, `${JSON.stringify(samples)}\n`);
    progress.close();
    process.stdout.write(
      `${asked.minutes} min, ${samples.length} samples, ${result.ok ? "flat" : "FAILED"}\n`,
    );
    return result.ok ? 0 : 1;
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    process.stderr.write("soak: interrupted\n");
    return 130;
  } finally {
    progress.close();
    await site.close();
  }
}

function readArguments(): { readonly minutes: number; readonly seed: number } | string {
  try {
    const { values } = parseArgs({
      options: { minutes: { type: "string", default: "30" }, seed: { type: "string", default: "1" } },
    });
    const minutes = Number(values.minutes);
    if (!(minutes >= 1 && minutes <= 1_440)) return `--minutes is "${values.minutes}"; expected 1 to 1440`;
    const seed = Number(values.seed);
    if (!Number.isInteger(seed) || seed < 0)
      return `--seed is "${values.seed}"; expected a whole number from 0`;
    return { minutes, seed };
  } catch (error) {
    return (error as Error).message;
  }
}

const soakRow = (minutes: number, samples: ResourceSample[], say: (text: string) => void): Row => ({
  name: "soak",
  group: "processes",
  about: "planned changes only, for a long time",
  expects: { doubled: 0, noErrors: true },
  async run(fleet) {
    const startedAt = systemClock.monotonicMillis();
    const endsAt = startedAt + minutes * MILLIS_PER_MINUTE;
    const judged = fleet.running.slice(0, OLD_WORKERS);
    const restarted = new Set(fleet.running.slice(OLD_WORKERS).map(({ workerId }) => workerId));
    const sampleEvery = (minutes * MILLIS_PER_MINUTE) / SAMPLES;
    let changeAt = startedAt + CHANGE_EVERY_MILLIS;
    for (let now = startedAt; now < endsAt; now = systemClock.monotonicMillis()) {
      for (const worker of judged) {
        const resources = await fleet.within(20_000, "a sample", worker.sample());
        samples.push({ ...resources, worker: worker.workerId, atMillis: Math.round(now - startedAt) });
      }
      say(`${Math.round((now - startedAt) / 1_000)} of ${minutes * 60} s`);
      if (now >= changeAt) {
        await change(fleet, restarted);
        changeAt = systemClock.monotonicMillis() + CHANGE_EVERY_MILLIS * (0.5 + fleet.random.next());
      }
      await fleet.sleep(Math.max(0, sampleEvery - (systemClock.monotonicMillis() - now)));
    }
    fleet.checks.push(...flatnessChecks(samples));
  },
});

/** One planned change. None of them may cause a record to be processed twice. */
async function change(fleet: FleetUnderTest, restarted: Set<string>): Promise<void> {
  const open = (await fleet.stream.open()).length;
  const what = pick(["split", "merge", "restart"] as const, fleet.random);
  if (what === "restart") {
    const old = fleet.running.find(({ workerId }) => restarted.has(workerId));
    const [fresh] = await fleet.start(1);
    restarted.add(fresh!.workerId);
    await fleet.terminate(old!);
  } else if (what === "split" ? open < SHARDS.most : open <= SHARDS.least) await fleet.stream.split();
  else await fleet.stream.merge();
}

process.exitCode = await main();
