/**
 * Handlers that block the event loop for a third of the failover time and longer: progress from the second
 * try on, and every later record once (cases: r09). Virtual time: nothing else in the process happens while
 * it is blocked.
 */
import { describe, expect, it } from "vitest";
import { type BlockedSettings, blockedFleet } from "../../bench/blocked-fleet.ts";

const FAILOVER_MILLIS = 10_000;
const FLEETS = [1, 2, 3, 5];

const run = (workers: number, blocks: Pick<BlockedSettings, "blockMillis" | "blockMillisPerRecord">) =>
  blockedFleet({ workers, shards: 4, failoverTimeMillis: FAILOVER_MILLIS, records: 200, ...blocks });

describe("a handler that blocks the event loop in every call", () => {
  const calls = [0.3, 1, 1.2, 3].flatMap((part) => FLEETS.map((workers) => [part, workers] as const));
  it.each(calls)(
    "for %d failover times, %d workers: through at the second try at the latest, and once later",
    { timeout: 60_000 },
    async (part, workers) => {
      const seen = await run(workers, { blockMillis: part * FAILOVER_MILLIS, blockMillisPerRecord: 0 });
      expect(seen.unhandled).toBe(0);
      expect(seen.mostTries).toBeLessThanOrEqual(2);
      expect(seen.twice[1]).toBe(0);
      expect(seen.markedDead[1]).toBe(0);
    },
  );
});

describe("the same for the one shard of a fleet whose other workers watch", () => {
  const calls = [1, 1.2].flatMap((part) => [2, 3, 4, 5, 8].map((workers) => [part, workers, 2] as const));
  it.each([...calls, [3, 2, 2] as const, [3, 3, 4] as const, [3, 5, 4] as const, [3, 8, 4] as const])(
    "for %d failover times, %d workers: through at try %d at the latest, and once later",
    { timeout: 60_000 },
    async (part, workers, tries) => {
      const blocks = { blockMillis: part * FAILOVER_MILLIS, blockMillisPerRecord: 0 };
      const fleet = { workers, shards: 1, failoverTimeMillis: FAILOVER_MILLIS, records: 50 };
      const seen = await blockedFleet({ ...fleet, ...blocks });
      expect(seen.unhandled).toBe(0);
      expect(seen.mostTries).toBeLessThanOrEqual(tries);
      expect(seen.twice[1]).toBe(0);
      expect(seen.markedDead[1]).toBe(0);
    },
  );
});

describe("a handler that blocks the event loop for every record", () => {
  it.each(FLEETS)("200 ms, %d workers: later batches are fitted", { timeout: 60_000 }, async (workers) => {
    const seen = await run(workers, { blockMillis: 0, blockMillisPerRecord: 200 });
    expect(seen.unhandled).toBe(0);
    expect(seen.mostTries).toBeLessThanOrEqual(2);
    expect(seen.twice[1]).toBe(0);
    expect(seen.markedDead[1]).toBe(0);
    expect(200 * seen.largestLaterBatch).toBeLessThan(FAILOVER_MILLIS / 3);
  });

  it.each(FLEETS)("12 s, %d workers: one at a time", { timeout: 60_000 }, async (workers) => {
    const seen = await run(workers, { blockMillis: 0, blockMillisPerRecord: 12_000 });
    expect(seen.unhandled).toBe(0);
    expect(seen.mostTries).toBeLessThanOrEqual(2);
    expect(seen.twice[1]).toBe(0);
    expect(seen.markedDead[1]).toBe(0);
  });
});
