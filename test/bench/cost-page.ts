/**
 * `npm run cost`: what the fleet's table costs per month, by the formula of src/core/cost.ts, in Markdown.
 * `npm run cost -- --shards 30 --workers 5 [--failover 4000] [--count]`: one fleet; `--count` also counts the
 * calls of the real engine over two virtual minutes. `--aws`: what the whole stack costs, the table of
 * docs/aws.md.
 */
import { parseArgs } from "node:util";
import {
  callsPerMinute,
  DEFAULT_SETTINGS,
  type FleetSettings,
  kclRenewalCost,
  tableCost,
} from "../../src/core/cost.ts";
import { DEFAULT_LOAD, monthlyCost, renderMonthlyCost } from "./aws-cost.ts";
import { countCalls } from "./counted-fleet.ts";

const USAGE = "usage: npm run cost -- [--shards N --workers N [--failover MILLIS] [--count]] [--aws]";

const whole = (value: number): string => Math.round(value).toLocaleString("en-US");
const dollars = (value: number): string => `$${value < 100 ? value.toFixed(2) : whole(value)}`;
const row = (...cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

const HEADING = [
  row(
    "shards × workers",
    "failover",
    "shards that write",
    "writes/min",
    "GetItems/min",
    "$/month",
    "KCL's renewals alone: writes/min",
    "$/month",
    "ours of KCL's",
  ),
  row("---", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:"),
];

function line(settings: FleetSettings): string {
  const calls = callsPerMinute(settings);
  const [ours, kcl] = [tableCost(calls), kclRenewalCost(settings)];
  return row(
    `${whole(settings.shards)} × ${settings.workers}`,
    `${settings.failoverTimeMillis / 1_000} s`,
    settings.busyShards === 0 ? "none" : "all",
    whole(ours.writeUnitsPerMinute),
    whole(calls.polls),
    dollars(ours.dollarsPerMonth),
    whole(kcl.writeUnitsPerMinute),
    dollars(kcl.dollarsPerMonth),
    // With checkpoints the two no longer do the same work: KCL writes them in addition to its renewals.
    settings.busyShards === 0 ? `${Math.round((100 * ours.dollarsPerMonth) / kcl.dollarsPerMonth)} %` : "–",
  );
}

function fleets(): FleetSettings[] {
  const sizes = [
    [30, 5],
    [100, 10],
    [1_000, 100],
  ] as const;
  return sizes.flatMap(([shards, workers]) =>
    [10_000, 4_000].flatMap((failoverTimeMillis) =>
      [0, shards].map((busyShards) => ({
        ...DEFAULT_SETTINGS,
        shards,
        workers,
        failoverTimeMillis,
        busyShards,
      })),
    ),
  );
}

async function counted(settings: FleetSettings): Promise<string> {
  const expected = callsPerMinute(settings);
  const { perMinute } = await countCalls(settings, { minutes: 2, putsPerSecond: 0 });
  const pairs = [
    ["heartbeats", expected.heartbeats, perMinute.sendHeartbeat],
    ["GetItems", expected.polls, perMinute.readFleet],
    ["Scans", 0, perMinute.list],
    ["ListShards", expected.listShards, perMinute.listShards],
    ["GetRecords", expected.getRecords, perMinute.read],
  ] as const;
  return pairs
    .map(
      ([name, formula, count]) =>
        `${name.padEnd(12)} formula ${whole(formula).padStart(7)}   counted ${whole(count ?? 0).padStart(7)}   a minute`,
    )
    .join("\n");
}

function wrongUse(message: string): never {
  console.error(`cost: ${message}\n${USAGE}`);
  process.exit(2);
}

function positive(name: string, text: string | undefined, otherwise?: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (value === undefined || !Number.isInteger(value) || value < 1)
    wrongUse(`--${name} is ${text ?? "missing"}: expected a whole number from 1`);
  return value;
}

function options() {
  try {
    const text = { type: "string" } as const;
    const flag = { type: "boolean" } as const;
    return parseArgs({
      options: { shards: text, workers: text, failover: text, count: flag, aws: flag },
    }).values;
  } catch (error) {
    return wrongUse(error instanceof Error ? error.message : String(error));
  }
}

const { shards, workers, failover, count, aws } = options();
if (aws) {
  console.log(renderMonthlyCost(monthlyCost(DEFAULT_LOAD)).join("\n"));
} else if (shards === undefined && workers === undefined) {
  console.log([...HEADING, ...fleets().map(line)].join("\n"));
} else {
  const settings = {
    ...DEFAULT_SETTINGS,
    shards: positive("shards", shards),
    workers: positive("workers", workers),
    failoverTimeMillis: positive("failover", failover, DEFAULT_SETTINGS.failoverTimeMillis),
  };
  console.log([...HEADING, line(settings)].join("\n"));
  if (count) console.log(`\n${await counted(settings)}`);
}
