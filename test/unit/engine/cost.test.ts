/**
 * GOALS.md "Cost": the calls of the real engine, counted in virtual time, and the formula that predicts
 * them.
 */
import { describe, expect, it } from "vitest";
import {
  callsPerMinute,
  DEFAULT_SETTINGS,
  type FleetSettings,
  kclRenewalCost,
  tableCost,
} from "../../../src/core/cost.ts";
import { countCalls } from "../../bench/counted-fleet.ts";

const fleet = (shards: number, workers: number, but: Partial<FleetSettings> = {}): FleetSettings => ({
  ...DEFAULT_SETTINGS,
  shards,
  workers,
  ...but,
});

/** The difference of two numbers, as a part of the larger. */
const apart = (a: number, b: number) => (a === b ? 0 : Math.abs(a - b) / Math.max(a, b));

describe("30 shards, 5 workers", () => {
  it("idle for ten minutes: ≤ 100 writes and ≤ 300 GetItems a minute, no scan, ≤ 12 ListShards", async () => {
    const { perMinute, writeUnitsPerMinute } = await countCalls(fleet(30, 5), {
      minutes: 10,
      putsPerSecond: 0,
    });
    expect(writeUnitsPerMinute).toBeLessThanOrEqual(100);
    expect(perMinute.readFleet).toBeLessThanOrEqual(300);
    expect(perMinute.list).toBe(0);
    expect(perMinute.listShards).toBeLessThanOrEqual(12);
    expect(perMinute.read).toBeLessThanOrEqual(62 * 30);
    // Only heartbeats are written.
    expect(perMinute.sendHeartbeat).toBe(writeUnitsPerMinute);
  });

  it("with 200 records a second for ten minutes: ≤ 500 writes, ≤ 62 GetRecords a shard, and no scan", async () => {
    const { perMinute, writeUnitsPerMinute } = await countCalls(fleet(30, 5), {
      minutes: 10,
      putsPerSecond: 200,
    });
    expect(writeUnitsPerMinute).toBeLessThanOrEqual(500);
    expect(perMinute.checkpoint).toBeGreaterThan(0);
    expect(perMinute.readFleet).toBeLessThanOrEqual(300);
    expect(perMinute.list).toBe(0);
    expect(perMinute.listShards).toBeLessThanOrEqual(12);
    expect(perMinute.read).toBeLessThanOrEqual(62 * 30);
  });
});

describe("the formula", () => {
  it.each<[string, FleetSettings, number]>([
    ["30 shards, 5 workers, idle", fleet(30, 5), 0],
    ["30 shards, 5 workers, 200 records a second", fleet(30, 5, { busyShards: 30 }), 200],
    ["10 shards, 2 workers, failover 4 s", fleet(10, 2, { failoverTimeMillis: 4_000 }), 0],
    [
      "6 shards, 1 worker, every batch checkpointed",
      fleet(6, 1, { busyShards: 6, checkpointIntervalMillis: 0 }),
      100,
    ],
    ["20 shards, 15 workers on two pages", fleet(20, 15), 0],
    ["30 shards, 30 workers on three pages", fleet(30, 30), 0],
    ["20 shards, 4 workers, a fleet shared with Java", fleet(20, 4, { leaseRenewal: "lease" }), 0],
  ])("says what is counted, within a few per cent: %s", async (_name, settings, putsPerSecond) => {
    const minutes = settings.workers >= 15 ? 2 : 5;
    const counted = await countCalls(settings, { minutes, putsPerSecond });
    const expected = callsPerMinute(settings);
    const cost = tableCost(expected);
    const { perMinute } = counted;
    const compared: Record<string, [number, number]> = {
      sendHeartbeat: [perMinute.sendHeartbeat ?? 0, expected.heartbeats],
      renew: [perMinute.renew ?? 0, expected.renewals],
      checkpoint: [perMinute.checkpoint ?? 0, expected.checkpoints],
      readFleet: [perMinute.readFleet ?? 0, expected.polls],
      listShards: [perMinute.listShards ?? 0, expected.listShards],
      read: [perMinute.read ?? 0, expected.getRecords],
      readUnits: [counted.readUnitsPerMinute, cost.readUnitsPerMinute],
      writeUnits: [counted.writeUnitsPerMinute, cost.writeUnitsPerMinute],
    };
    // Both wait for the next poll, which is spread at random. Also, ten listings a minute are few to count.
    const allowed = (name: string) =>
      name === "listShards" || settings.leaseRenewal === "lease" ? 0.1 : 0.04;
    const wrong = Object.entries(compared).filter(([name, [is, was]]) => apart(is, was) > allowed(name));
    expect(wrong).toEqual([]);
    expect(perMinute.list ?? 0).toBe(0);
  });
});

describe("beside KCL at the same failover time", () => {
  it.each([
    [30, 5],
    [100, 10],
    [1_000, 100],
  ])(
    "%d shards, %d workers: idle for a quarter of its renewals' dollars, everything counted",
    (shards, workers) => {
      const settings = fleet(shards, workers);
      const [ours, theirs] = [tableCost(callsPerMinute(settings)), kclRenewalCost(settings)];
      expect(ours.dollarsPerMonth).toBeLessThanOrEqual(theirs.dollarsPerMonth / 4);
    },
  );

  it("1,000 shards, 100 workers: an eighth of its write units", () => {
    const settings = fleet(1_000, 100);
    const { writeUnitsPerMinute } = tableCost(callsPerMinute(settings));
    expect(writeUnitsPerMinute).toBeLessThanOrEqual(kclRenewalCost(settings).writeUnitsPerMinute / 8);
  });

  it("renews 18.14 times a minute a shard at a failover time of 10 s, as it was measured", () => {
    expect(kclRenewalCost({ shards: 1, failoverTimeMillis: 10_000 }).writeUnitsPerMinute).toBeCloseTo(
      18.14,
      2,
    );
  });
});
