/**
 * What the stack costs per month on AWS, term by term. `npm run cost -- --aws` prints the table of
 * docs/aws.md, and test/unit/docs/aws-cost.test.ts compares the page with it. List prices of us-east-1, 2026;
 * free tiers are left out.
 */
import { callsPerMinute, DEFAULT_SETTINGS, tableCost } from "../../src/core/cost.ts";

export interface StackLoad {
  readonly shards: number;
  readonly workers: number;
  readonly producers: number;
  /** Records a second in the stream, all day. */
  readonly rate: number;
  /** Size of a record, its partition key included. */
  readonly recordBytes: number;
  readonly failoverTimeMillis: number;
  readonly alarms: number;
  readonly rebalances: number;
  /** Of each rebalance. */
  readonly splits: number;
}

/** The stack as it is deployed without any option, and a rebalance a day. */
export const DEFAULT_LOAD: StackLoad = {
  shards: 20,
  workers: 3,
  producers: 1,
  rate: 200,
  recordBytes: 100,
  failoverTimeMillis: 4_000,
  alarms: 11,
  rebalances: 30,
  splits: 10,
};

export interface CostLine {
  readonly what: string;
  readonly formula: string;
  readonly dollars: number;
  /** Not part of the default deployment, and not of the sum. */
  readonly optional?: boolean;
}

const HOURS = 730;
const MINUTES = HOURS * 60;
const SECONDS = MINUTES * 60;
const GIGABYTE = 1024 ** 3;

/** CloudWatch counts 26 bytes more for each event, and pino's frame comes around each history line. */
const LOG_EVENT_BYTES = 26 + 80;

/** Both services' lines about one record, as they are written with `-c history=log`. */
function historyBytesPerRecord(): number {
  const record = {
    key: "a1b2c3d4-123",
    n: 12_345,
    sequenceNumber: "4".repeat(56),
    shardId: "shardId-000000000012",
  };
  const worker = "0123456789abcdef0123456789abcdef-01234567";
  const lines = [
    { type: "put", t: 1_790_000_000_000, ...record },
    { type: "record", t: 1_790_000_000_000, worker, ...record },
  ];
  return lines.reduce((bytes, line) => bytes + JSON.stringify(line).length + LOG_EVENT_BYTES, 0);
}

export function monthlyCost(load: StackLoad): CostLine[] {
  const { shards, workers, producers, rate, recordBytes, alarms, rebalances, splits } = load;
  const tasks = workers + producers;
  const putUnits = rate * Math.ceil(recordBytes / 25_600) * SECONDS;
  const table = tableCost(
    callsPerMinute({
      ...DEFAULT_SETTINGS,
      ...{ shards, workers, busyShards: shards, failoverTimeMillis: load.failoverTimeMillis },
    }),
  );
  // A split takes half a minute there, while the function waits. Checks run once a second for as long.
  const rebalanceSeconds = splits * 30;
  const transitions = 10 + 2 * (rebalanceSeconds / 300) + 3 * 30;
  const historyGigabytes = (historyBytesPerRecord() * rate * SECONDS) / GIGABYTE;
  return [
    { what: "Kinesis, shards", formula: "shards · 730 h · $0.015", dollars: shards * HOURS * 0.015 },
    {
      what: "Kinesis, PUT payload units (25 KB each, a record at least one)",
      formula: "records/s · units a record · 2.63 M s · $0.014 a million",
      dollars: (putUnits / 1e6) * 0.014,
    },
    {
      what: "KMS, the stream's key (AWS's own)",
      formula:
        "two calls every five minutes for producers, consumers and the stream itself · $0.03 for 10,000",
      dollars: ((3 * 2 * MINUTES) / 5 / 10_000) * 0.03,
    },
    {
      what: "DynamoDB, lease table",
      formula: "[cost.md](cost.md): heartbeats of workers, checkpoints of shards that bring records",
      dollars: table.dollarsPerMonth,
    },
    {
      what: "Fargate, 0.25 vCPU and 0.5 GB a task",
      formula: "tasks · 730 h · (0.25 · $0.04048 + 0.5 · $0.004445)",
      dollars: tasks * HOURS * (0.25 * 0.04048 + 0.5 * 0.004445),
    },
    {
      what: "Public addresses",
      formula: "tasks · 730 h · $0.005",
      dollars: tasks * HOURS * 0.005,
    },
    {
      what: "CloudWatch, metrics",
      formula:
        "[14 series](cost.md#metrics) with the block of the event loop, whatever the number of shards and workers · $0.30",
      dollars: 14 * 0.3,
    },
    {
      what: "CloudWatch, PutMetricData",
      formula: "workers · 4 a minute · 43,800 · $0.01 a thousand",
      dollars: ((workers * 4 * MINUTES) / 1_000) * 0.01,
    },
    {
      what: "CloudWatch, alarms and dashboard",
      formula: "alarms · $0.10 + $3",
      dollars: alarms * 0.1 + 3,
    },
    {
      what: "CloudWatch Logs",
      formula: "a few lines a lease that moves, none per record: under 10 MB · $0.50 a GB",
      dollars: 0.01 * 0.5,
    },
    {
      what: "Lambda, resharder",
      formula: "rebalances · splits · 30 s · 0.5 GB · $0.0000133 a GB-second",
      dollars: rebalances * rebalanceSeconds * 0.5 * 0.0000133334,
    },
    {
      what: "Step Functions",
      formula: "rebalances · about 100 transitions · $0.025 a thousand",
      dollars: ((rebalances * transitions) / 1_000) * 0.025,
    },
    {
      what: "History in the log (`-c history=log`), not in the sum",
      formula: `records/s · ${historyBytesPerRecord()} bytes of two lines · 2.63 M s · $0.50 a GB`,
      dollars: historyGigabytes * 0.5,
      optional: true,
    },
  ];
}

const dollars = (value: number): string => (value < 100 ? value.toFixed(2) : String(Math.round(value)));

/** Markdown. */
export function renderMonthlyCost(lines: readonly CostLine[]): string[] {
  const sum = lines.reduce((total, line) => (line.optional ? total : total + line.dollars), 0);
  return [
    "| what | a month | dollars |",
    "|---|---|--:|",
    ...lines.map((line) => `| ${line.what} | ${line.formula} | ${dollars(line.dollars)} |`),
    `| **together** | | **${dollars(sum)}** |`,
  ];
}
