/**
 * `bench cost`: what 30 shards and 5 workers cost, counted by the gateway: a quiet minute, then a minute at
 * 200 records a second. Failover time 10 s and checkpoints every 5 s, the library's defaults.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { mergeHistory } from "../../lab/history/merge.ts";
import { dynamoDbCost } from "../../lab/measures/cost.ts";
import { Flow } from "../../lab/measures/flow.ts";
import { endpointAdmin } from "../../local/index.ts";
import { systemClock as clock } from "../../src/platform.ts";
import { type Fixture, openEnvironment, openFixture, type TestEnvironment } from "./environment.ts";
import type { BenchResult, BenchRun, Figure, Unit } from "./figures.ts";
import { processUse } from "./machine.ts";

const SHARDS = 30;
const WORKERS = 5;
const WINDOW_MILLIS = 60_000;
/** A shard that was empty for 60 reads is read half as often: the quiet minute is that of a quiet stream. */
const UNTIL_QUIET_MILLIS = 65_000;
/** From the first record on: by then checkpoints are due and readers poll at the full rate. */
const UNTIL_BUSY_MILLIS = 10_000;
/** KCL 2.7.2's and 3.5.1's cost of the same fleet, idle. */
const KCL_DOLLARS = 15;

type Calls = Readonly<Record<string, number>>;

interface Use {
  readonly residentMebibytes: number;
  readonly peakMebibytes: number;
  readonly cpuSecondsPerMinute: number;
}

interface Minute {
  readonly calls: Calls;
  /** One per worker. */
  readonly use: readonly Use[];
}

export async function benchCost({ signal, keep, say }: BenchRun): Promise<BenchResult> {
  say("starting the AWS endpoint");
  const fixture = await openFixture();
  let failed = true;
  try {
    say("30 shards, 5 workers");
    const options = { name: "bench-cost", shards: SHARDS, failoverTimeMillis: 10_000 };
    const environment = await openEnvironment(fixture, options, signal);
    try {
      const result = await measure(fixture, environment, { signal, say });
      failed = false;
      return { ...result, notes: [...result.notes, ...fixture.keptText(keep)] };
    } finally {
      await environment.close();
    }
  } finally {
    await fixture.close(failed || keep);
  }
}

async function measure(
  fixture: Fixture,
  environment: TestEnvironment,
  { signal, say }: Pick<BenchRun, "signal" | "say">,
): Promise<BenchResult> {
  for (let count = 0; count < WORKERS; count++) environment.fleet.startWorker();
  await environment.even(SHARDS, WORKERS);
  say("until the shards count as quiet (65 s)");
  await clock.sleep(UNTIL_QUIET_MILLIS, signal);
  say("a quiet minute");
  const idle = await minute(fixture, environment, signal);
  const producer = environment.fleet.startProducer(200);
  await environment.producing();
  say("200 records a second, getting under way (10 s)");
  await clock.sleep(UNTIL_BUSY_MILLIS, signal);
  say("a minute at 200 records a second");
  const from = clock.wallMillis();
  const busy = await minute(fixture, environment, signal);
  const until = clock.wallMillis();
  await producer.stop();
  await environment.drained();
  await Promise.all(environment.fleet.workers.map((task) => task.stop()));
  const flow = await flowBetween(environment.folder, from, until);
  return {
    bench: "cost",
    figures: figuresOf(idle, busy, flow),
    notes: [callsText("idle", idle.calls), callsText("200 rec/s", busy.calls)],
  };
}

function figuresOf(idle: Minute, busy: Minute, flow: Flow): Figure[] {
  const figure = (
    measure: string,
    values: number | null | readonly number[],
    atMost?: number,
    unit: Unit = "count",
  ): Figure => ({
    measure,
    unit,
    values: Array.isArray(values) ? values : [values as number | null],
    ...(atMost !== undefined && { goal: { worst: atMost } }),
  });
  const both = (
    measure: string,
    value: (calls: Calls) => number | null,
    goals: readonly [number?, number?],
  ) => [
    figure(`${measure}, idle`, value(idle.calls), goals[0]),
    figure(`${measure}, 200 rec/s`, value(busy.calls), goals[1]),
  ];
  const use = (of: Minute, value: (use: Use) => number) => of.use.map(value);
  const dollars = ({ calls }: Minute) => dynamoDbCost(calls, WINDOW_MILLIS)?.dollarsPerMonth ?? null;
  return [
    ...both("DynamoDB writes a minute", (calls) => sum(calls, WRITES), [100, 500]),
    ...both("DynamoDB GetItems a minute", (calls) => sum(calls, /^DynamoDB\.(GetItem|Query)$/), [300, 300]),
    ...both("DynamoDB scans a minute", (calls) => sum(calls, /^DynamoDB\.Scan$/), [0, 0]),
    figure("DynamoDB a month, idle", dollars(idle), KCL_DOLLARS / 4, "$"),
    figure("DynamoDB a month, 200 rec/s", dollars(busy), undefined, "$"),
    ...both("GetRecords a minute a shard", (calls) => sum(calls, /\.GetRecords$/) / SHARDS, [62, 62]),
    figure("put → handler, p50", flow.latency.percentile(0.5) ?? null, 550, "ms"),
    figure("put → handler, p99", flow.latency.percentile(0.99) ?? null, undefined, "ms"),
    ...both(
      "ListShards + Describe a minute",
      (calls) => sum(calls, /^Kinesis\.(ListShards|Describe\w+)$/),
      [12, 12],
    ),
    ...both("PutMetricData a minute", (calls) => sum(calls, /\.PutMetricData$/), [5 * WORKERS, 5 * WORKERS]),
    figure(
      "RSS of a worker, 40 rec/s each",
      use(busy, (of) => of.residentMebibytes),
      90,
      "MiB",
    ),
    figure(
      "  its highest so far",
      use(busy, (of) => of.peakMebibytes),
      undefined,
      "MiB",
    ),
    figure(
      "CPU a minute, 40 rec/s each",
      use(busy, (of) => of.cpuSecondsPerMinute),
      1.5,
      "s",
    ),
    figure(
      "CPU a minute, idle",
      use(idle, (of) => of.cpuSecondsPerMinute),
      undefined,
      "s",
    ),
  ];
}

async function minute(fixture: Fixture, { fleet }: TestEnvironment, signal: AbortSignal): Promise<Minute> {
  const admin = endpointAdmin(fixture.endpoint.url);
  const pids = fleet.workers.map(({ pid }) => pid);
  await admin.resetCalls();
  const before = pids.map(processUse);
  await clock.sleep(WINDOW_MILLIS, signal);
  signal.throwIfAborted();
  const after = pids.map(processUse);
  const counted = (await admin.calls()).filter(({ caller }) => caller === "consumer");
  return {
    calls: Object.fromEntries(counted.map(({ operation, count }) => [operation, count] as const).toSorted()),
    use: after.map((use, i) => ({
      ...use,
      cpuSecondsPerMinute: ((use.cpuSeconds - before[i]!.cpuSeconds) * 60_000) / WINDOW_MILLIS,
    })),
  };
}

/** The flow of the records put in this time: the first records found readers that polled slowly. */
async function flowBetween(folder: string, from: number, until: number): Promise<Flow> {
  const flow = new Flow();
  const files = readdirSync(folder).filter((file) => file.endsWith(".jsonl"));
  await mergeHistory(
    files.map((file) => join(folder, file)),
    undefined,
    (event) => {
      if (event.type !== "put" || (event.t >= from && event.t < until)) flow.observe(event);
    },
  );
  return flow;
}

const WRITES = /^DynamoDB\.(UpdateItem|PutItem|DeleteItem|TransactWriteItems)$/;

const sum = (calls: Calls, chosen: RegExp): number =>
  Object.entries(calls).reduce((total, [name, count]) => total + (chosen.test(name) ? count : 0), 0);

const callsText = (title: string, calls: Calls): string =>
  `${title}: ${Object.entries(calls)
    .map(([name, count]) => `${name.replace(/^\w+\./, "")} ${count}`)
    .join(", ")}`;
