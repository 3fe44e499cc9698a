/**
 * `bench coordination`: the scenario of the coordination goals, several times on the embedded endpoint. 20
 * shards, 200 records a second; 3 workers → 10 splits → 2 more workers → SIGKILL of one → of the leader →
 * SIGTERM of one → a rolling deploy → an unannounced split. Figures come from the histories, not from this
 * program's own clock.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { listShards } from "../../lab/aws/stream.ts";
import { mergeHistory } from "../../lab/history/merge.ts";
import type { HistoryEvent } from "../../services/contract/history.ts";
import { dynamoDbFleet } from "../../services/resharder/adapters/dynamodb-fleet.ts";
import { kinesisStream } from "../../services/resharder/adapters/kinesis-stream.ts";
import { performReshard } from "../../services/resharder/perform-reshard.ts";
import { midpoint } from "../../src/core/hash-range.ts";
import { systemClock, systemRandom } from "../../src/platform.ts";
import { type RoundFigures, roundFigures, type Stages } from "./coordination-figures.ts";
import { type Fixture, openEnvironment, openFixture, type TestEnvironment } from "./environment.ts";
import type { BenchResult, BenchRun, Figure } from "./figures.ts";

/** The stack's setting; the library's default is 10 s. */
const FAILOVER_MILLIS = 4_000;
const RATE_PER_SECOND = 200;
const RESHARD_BUDGET_MILLIS = 120_000;

export async function benchCoordination(run: BenchRun): Promise<BenchResult> {
  run.say("starting the AWS endpoint");
  const fixture = await openFixture();
  let failed = true;
  try {
    const rounds: RoundFigures[] = [];
    for (let number = 1; number <= run.rounds; number++) {
      const say = (text: string) => run.say(`round ${number} of ${run.rounds}: ${text}`);
      rounds.push(await playRound(fixture, `bench-${number}`, { ...run, say }));
    }
    failed = false;
    const notes = [...new Set(rounds.flatMap((round) => round.notes)), ...fixture.keptText(run.keep)];
    return { bench: "coordination", figures: combine(rounds), notes };
  } finally {
    run.say("stopping the AWS endpoint");
    await fixture.close(failed || run.keep);
  }
}

async function playRound(fixture: Fixture, name: string, run: BenchRun): Promise<RoundFigures> {
  run.say("a stream of 20 shards");
  const environment = await openEnvironment(
    fixture,
    { name, shards: 20, failoverTimeMillis: FAILOVER_MILLIS },
    run.signal,
  );
  let stages: Stages;
  try {
    stages = await playPhases(fixture, environment, run);
  } finally {
    await environment.close();
  }
  const events: HistoryEvent[] = [];
  const files = readdirSync(environment.folder).filter((file) => file.endsWith(".jsonl"));
  const notes = await mergeHistory(
    files.map((file) => join(environment.folder, file)),
    undefined,
    (event) => events.push(event),
  );
  if (notes.corruptLines > 0) throw new Error(`${notes.corruptLines} corrupt lines in ${environment.folder}`);
  return roundFigures(events, stages);
}

async function playPhases(
  fixture: Fixture,
  environment: TestEnvironment,
  { say, signal }: BenchRun,
): Promise<Stages> {
  const { fleet, mark } = environment;
  const windows: Record<string, { from: number; until: number }> = {};
  const part = async (name: string, text: string, play: () => Promise<void>) => {
    say(text);
    const from = mark("phase", { phase: name });
    await play();
    windows[name] = { from, until: systemClock.wallMillis() };
  };
  const replace = async () => {
    fleet.startWorker();
    await environment.even(30, 5);
  };
  const killed: Record<string, string> = {};
  const kill = async (name: string, index: number) => {
    const victim = fleet.workers[index]!;
    killed[name] = victim.id;
    victim.kill();
    mark("task-killed", { worker: victim.id });
    await environment.even(30, 4);
  };

  const producer = fleet.startProducer(RATE_PER_SECOND);
  await environment.producing();
  await part("start", "3 workers start", async () => {
    for (let count = 0; count < 3; count++) fleet.startWorker();
    await environment.even(20, 3);
  });
  await part("split", "10 splits by the resharder", async () => {
    mark("split-requested");
    await Promise.all([environment.sampler.watchShards(30, signal), reshard(fixture, environment.name)]);
    await environment.even(30, 3);
  });
  await part("scale", "2 more workers", async () => {
    mark("scale-requested");
    for (let count = 0; count < 2; count++) fleet.startWorker();
    await environment.even(30, 5);
  });
  await part("crash", "kill -9 of a worker", () => kill("crash", 2));
  await part("replace", "a new one for it", replace);
  await part("leaderCrash", "kill -9 of the leading worker", () => kill("leaderCrash", 0));
  await part("replace", "a new one for it", replace);
  await part("stop", "SIGTERM of a worker", async () => {
    const victim = fleet.workers[1]!;
    killed.stop = victim.id;
    mark("stop-asked", { worker: victim.id });
    await Promise.all([victim.stop(), environment.even(30, 4)]);
  });
  await part("replace", "a new one for it", replace);
  await part("deploy", "rolling deploy of 5 workers", async () => {
    for (const old of fleet.workers) {
      fleet.startWorker();
      await environment.even(30, 6);
      await Promise.all([old.stop(), environment.even(30, 5)]);
    }
  });
  await part("quietSplit", "a split nobody tells of", async () => {
    await Promise.all([environment.sampler.watchShards(31, signal), splitOne(fixture, environment.name)]);
    await environment.even(31, 5);
  });
  await part("end", "reading the rest", async () => {
    await producer.stop();
    await environment.drained();
    mark("stop-requested");
    await Promise.all(fleet.workers.map((task) => task.stop()));
  });
  return { windows, killed };
}

/** The resharder's own loop with its adapters, without Lambda and Step Functions. */
async function reshard({ clients }: Fixture, name: string): Promise<void> {
  const startedAt = systemClock.monotonicMillis();
  const outcome = await performReshard(
    { targetShards: 30, direction: "split", takeOver: false },
    {
      stream: kinesisStream({ client: clients.kinesis, streamName: name }),
      fleet: dynamoDbFleet({ client: clients.dynamoDb, leaseTableName: name }),
      clock: systemClock,
      random: systemRandom,
      log: () => undefined,
    },
    () => RESHARD_BUDGET_MILLIS - (systemClock.monotonicMillis() - startedAt),
  );
  if (!outcome.done) throw new Error(`the reshard of ${name} stopped at ${outcome.openShards} shards`);
}

async function splitOne({ clients }: Fixture, name: string): Promise<void> {
  const shard = (await listShards(clients, name)).find(({ open }) => open)!;
  await clients.kinesis.send(
    new SplitShardCommand({
      StreamName: name,
      ShardToSplit: shard.shardId,
      NewStartingHashKey: String(midpoint(shard.range)),
    }),
  );
}

/** Rounds side by side: the same figures in the same order, one value per round. */
function combine(rounds: readonly RoundFigures[]): Figure[] {
  return (rounds[0]?.figures ?? []).map(({ value: _, ...figure }, i) => ({
    ...figure,
    values: rounds.map(({ figures }) => figures[i]!.value),
  }));
}
