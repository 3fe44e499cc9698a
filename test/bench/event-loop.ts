/**
 * `npx tsx test/bench/event-loop.ts`: the figures of docs/event-loop.md, from the real engine in virtual
 * time.
 */
import { type BlockedFigures, type BlockedSettings, blockedFleet } from "./blocked-fleet.ts";

const FAILOVER_MILLIS = 10_000;
const SHARDS = 4;
const RECORDS = 200;
const PARTS = [0.3, 1, 3];
const FLEETS = [1, 3, 5];

const LINES: readonly [
  string,
  (part: number) => Pick<BlockedSettings, "blockMillis" | "blockMillisPerRecord">,
][] = [
  ["a call", (part) => ({ blockMillis: part * FAILOVER_MILLIS, blockMillisPerRecord: 0 })],
  ["50 records", (part) => ({ blockMillis: 0, blockMillisPerRecord: (part * FAILOVER_MILLIS) / 50 })],
  ["a record", (part) => ({ blockMillis: 0, blockMillisPerRecord: part * FAILOVER_MILLIS })],
];

const row = (what: string, workers: number, { mostTries, markedDead, twice, calls }: BlockedFigures) =>
  `| ${what} | ${workers} | ${mostTries} | ${markedDead.join(", ")} | ${twice.join(", ")} | ${calls.join(", ")} |`;

process.stdout.write(
  "| blocks, failover times | workers | most tries of a record | marked dead: first, later | records twice: first, later | calls: first, later |\n|---|--:|--:|--:|--:|--:|\n",
);
for (const [what, blocks] of LINES)
  for (const part of PARTS)
    for (const workers of FLEETS) {
      const settings = { workers, shards: SHARDS, failoverTimeMillis: FAILOVER_MILLIS, records: RECORDS };
      const figures = await blockedFleet({ ...settings, ...blocks(part) });
      if (figures.unhandled > 0)
        throw new Error(`${figures.unhandled} records were not processed in four hours`);
      process.stdout.write(`${row(`${part} ${what}`, workers, figures)}\n`);
    }
