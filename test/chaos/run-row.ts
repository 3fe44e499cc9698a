/** Runs one row, from the creation of its stream to its verdict. */
import { join } from "node:path";
import { messageOf } from "../../lab/errors.ts";
import { HistoryWriter } from "../../lab/experiment/history-writer.ts";
import { systemClock } from "../../src/platform.ts";
import { seededRandom } from "../../src/ports/random.ts";
import { FleetUnderTest } from "./fleet.ts";
import { judge } from "./judge.ts";
import { seedOf } from "./pick.ts";
import type { Row, RowCheck, RowResult } from "./row.ts";
import { Sampler } from "./sampler.ts";
import { historyFolder, type Site } from "./site.ts";
import { StreamUnderTest } from "./stream-under-test.ts";
import { TableByHand } from "./table-by-hand.ts";

export interface RowRun {
  readonly row: Row;
  readonly site: Site;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Durations of faults are multiplied by it. */
  readonly scale: number;
  readonly onPhase: (phase: string) => void;
}

const SHARDS = 8;
const WORKERS = 4;
const RATE = 100;
const FAILOVER_TIME_MILLIS = 4_000;
const CHECKPOINT_INTERVAL_MILLIS = 2_000;
const EVEN_DEADLINE_MILLIS = 60_000;
/** By then every shard has records, and checkpoints are being written. */
const FLOWING_MILLIS = 3_000;
/** The load continues this long after healing: only records can show that a shard is unread. */
const LOAD_AFTER_MILLIS = 5_000;

/** Throws only when interrupted. Any other error is the row's failure. */
export async function runRow(run: RowRun): Promise<RowResult> {
  const { row, site, signal } = run;
  const startedAt = systemClock.monotonicMillis();
  const seed = seedOf(run.seed, row.name);
  const random = seededRandom(seed);
  const folder = site.folderOf(row.name);
  const historyDirectory = historyFolder(folder);
  const history = new HistoryWriter(join(historyDirectory, "lab.jsonl"));
  const write = (event: Parameters<HistoryWriter["write"]>[0]) => history.write(event);
  const { clients } = site;
  const sampler = new Sampler({ clients, name: row.name, historyDirectory, write });
  const fleet = new FleetUnderTest({
    ...{ name: row.name, site, random, signal, folder, historyDirectory, sampler, write, scale: run.scale },
    failoverTimeMillis: FAILOVER_TIME_MILLIS,
    checkpointIntervalMillis: CHECKPOINT_INTERVAL_MILLIS,
    stream: new StreamUnderTest({ clients, streamName: row.name, random, write }),
    table: new TableByHand(clients.dynamoDb, row.name),
  });
  const failures: RowCheck[] = [];
  const note = (name: string) => (error: unknown) => {
    failures.push({ name, expected: "to its end", actual: messageOf(error), ok: false });
  };
  await perform(run, fleet, sampler, note("what the row does")).catch(note("the row ran"));
  for (const worker of fleet.running) worker.signal("SIGKILL");
  await fleet.clearFaults().catch(note("faults were cleared"));
  await fleet.stopLoad().catch(note("the load ran"));
  await sampler.stop().catch(note("the table was watched"));
  await history.close();
  await fleet.stream.delete().catch(note("the stream was deleted"));
  signal.throwIfAborted();
  const { checks, figures } = await judge({
    slowestAnswerMillis: sampler.slowestAnswerMillis(fleet.healedAt ?? 0),
    ...{ row, fleet, folder, rate: RATE, checkpointIntervalMillis: CHECKPOINT_INTERVAL_MILLIS },
  });
  const all = [...failures, ...checks];
  return {
    ...{ name: row.name, group: row.group, about: row.about, seed: run.seed, figures },
    ok: all.every(({ ok }) => ok),
    checks: all,
    tookMillis: systemClock.monotonicMillis() - startedAt,
  };
}

async function perform(
  { row, signal, onPhase }: RowRun,
  fleet: FleetUnderTest,
  sampler: Sampler,
  onBroken: (error: unknown) => void,
): Promise<void> {
  onPhase("starting");
  await fleet.stream.create(row.shards ?? SHARDS);
  for (let i = 0; i < (row.workers ?? WORKERS); i++) {
    const failoverTimeMillis = row.failoverTimesMillis?.[i] ?? FAILOVER_TIME_MILLIS;
    await fleet.start(1, { failoverTimeMillis });
    sampler.start();
  }
  if (!(await fleet.until(EVEN_DEADLINE_MILLIS, () => fleet.isEven())))
    throw new Error(`the fleet was not even ${EVEN_DEADLINE_MILLIS / 1000} s after its start`);
  fleet.load(RATE);
  await fleet.sleep(FLOWING_MILLIS + fleet.random.next() * 1_000);
  onPhase("trouble");
  // The rest of the fleet must still lose nothing.
  await row.run(fleet).catch(onBroken);
  signal.throwIfAborted();
  await fleet.clearFaults();
  if (fleet.healedAt === undefined) fleet.healed();
  onPhase("healing");
  await fleet.sleep(LOAD_AFTER_MILLIS);
  onPhase("draining");
  await fleet.drain();
  onPhase("stopping");
  await fleet.stop();
}
