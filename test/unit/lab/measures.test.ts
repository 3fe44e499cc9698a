import { describe, expect, it } from "vitest";
import { dynamoDbCost } from "../../../lab/measures/cost.ts";
import { Measurement, measure } from "../../../lab/measures/index.ts";
import { MillisHistogram, percentile } from "../../../lab/measures/percentiles.ts";
import { evenDistribution, leaseCap, SEED_SETTINGS } from "../../../lab/settings.ts";
import type { HistoryEvent } from "../../../services/contract/history.ts";
import type { LeaseAction } from "../../../src/index.ts";
import { settingsOf, syntheticHistory } from "./synthetic-history.ts";

const TWO_TO_THREE = { ...SEED_SETTINGS, shards: 6, splitTo: 6, pods: 2, scaleTo: 3 };
const SHARDS = ["s1", "s2", "s3", "s4", "s5", "s6"];

const event = (t: number, name: string, details: object = {}): HistoryEvent => ({
  type: "event",
  t,
  name,
  ...details,
});
const sample = (t: number, owners: string): HistoryEvent => ({
  type: "leases",
  t,
  owners: Object.fromEntries(
    SHARDS.map((shard, i) => [shard, owners[i] === "-" ? null : (owners[i] as string)]),
  ),
  checkpoints: {},
});
const lease = (t: number, worker: string, leaseKey: string, action: LeaseAction): HistoryEvent => ({
  type: "lease",
  t,
  worker,
  leaseKey,
  action,
  reason: "test",
});
const batch = (readAt: number, t: number, worker: string, shardId: string, count = 1): HistoryEvent => ({
  type: "batch",
  t,
  worker,
  shardId,
  count,
  readAt,
});

const scaleOut: HistoryEvent[] = [
  event(0, "task-started", { worker: "a" }),
  event(100, "task-started", { worker: "b" }),
  sample(200, "aaa---"),
  sample(450, "aaabbb"),
  sample(700, "aabbbb"),
  sample(950, "aaabbb"),
  batch(900, 990, "a", "s3"),
  batch(900, 985, "b", "s4"),
  event(1_000, "scale-requested", { from: 2, to: 3 }),
  event(1_200, "task-started", { worker: "c" }),
  lease(1_500, "a", "s3", "handed-over"),
  lease(1_505, "c", "s3", "received"),
  batch(1_510, 1_530, "c", "s3"),
  sample(1_600, "aacbbb"),
  lease(1_650, "b", "s4", "handed-over"),
  lease(1_655, "c", "s4", "received"),
  batch(1_700, 1_720, "c", "s4", 0),
  sample(1_850, "aaccbb"),
  event(5_000, "stop-requested"),
  sample(5_100, "------"),
];

describe("measures of a scale-out", () => {
  const measures = measure(scaleOut, TWO_TO_THREE);

  it("balance counts from the last start to the sample from which on it stays even", () => {
    expect(measures.initialBalanceMillis).toBe(950 - 100);
    expect(measures.convergenceMillis).toBe(1_850 - 1_200);
  });

  it("moves count from the first even sample, wobbles included, against the minimum", () => {
    expect(measures.leaseMoves).toBe(2);
    expect(measures.minimumLeaseMoves).toBe(2);
    const wobble = [
      ...scaleOut.slice(0, -2),
      lease(2_000, "a", "s3", "received"),
      lease(2_100, "c", "s3", "received"),
      ...scaleOut.slice(-2),
    ];
    expect(measure(wobble, TWO_TO_THREE).leaseMoves).toBe(4);
  });

  it("a gap runs from the old owner's last finished batch to the new owner's first GetRecords, empty or not", () => {
    expect(measures.handoffGapMillis).toEqual({ p50: 1_510 - 990, p99: 1_700 - 985, max: 1_700 - 985 });
  });

  it("a lease taken after an expiry is a take-over, not a hand-over", () => {
    const history = scaleOut.map(
      (e): HistoryEvent => (e.type === "lease" && e.action === "received" ? { ...e, action: "claimed" } : e),
    );
    const other = measure(history, TWO_TO_THREE);
    expect(other.handoffGapMillis).toBeNull();
    expect(other.takeoverGapMillis?.max).toBe(715);
  });

  it("can be asked while the history grows: null is what has not happened yet", () => {
    const growing = new Measurement(TWO_TO_THREE);
    for (const e of scaleOut.slice(0, 10)) growing.observe(e);
    expect(growing.result()).toMatchObject({
      initialBalanceMillis: 850,
      convergenceMillis: null,
      leaseMoves: 0,
      handoffGapMillis: null,
    });
    for (const e of scaleOut.slice(10)) growing.observe(e);
    expect(growing.result()).toEqual(measures);
  });
});

describe("measures of records", () => {
  const put = (t: number, n: number): HistoryEvent => ({
    type: "put",
    t,
    key: "k",
    n,
    shardId: "s1",
    sequenceNumber: String(n),
  });
  const record = (t: number, n: number, worker = "a"): HistoryEvent => ({
    type: "record",
    t,
    worker,
    shardId: "s1",
    key: "k",
    n,
    sequenceNumber: String(n),
  });

  it("count what was produced, processed, doubled, lost and late", () => {
    const history = [
      put(1, 1),
      put(2, 2),
      put(3, 3),
      put(4, 4),
      record(10, 1),
      record(11, 3),
      record(12, 2),
      record(13, 3, "b"),
    ];
    expect(measure(history, SEED_SETTINGS)).toMatchObject({
      produced: 4,
      processed: 3,
      duplicates: 1,
      lost: 1,
      orderViolations: 1,
    });
  });

  it("take the latency from put to first handling, whichever line comes first", () => {
    const history = [put(100, 1), record(130, 1), record(200, 2), put(201, 2), record(900, 1)];
    expect(measure(history, SEED_SETTINGS).putToHandlerMillis).toEqual({ p50: 0, p99: 30, max: 30 });
  });

  it("know the longest silence of each shard", () => {
    const history = [put(1, 1), record(10, 1), record(500, 2), record(600, 3)];
    expect(measure(history, SEED_SETTINGS).shardSilenceMillis?.worst).toEqual({
      shardId: "s1",
      from: 10,
      millis: 490,
    });
  });
});

describe("measures of a reshard", () => {
  const options = {
    seed: 3,
    shards: 4,
    splitTo: 6,
    pods: 2,
    scaleTo: 3,
    rate: 40,
    keys: 20,
    phaseMillis: 3_000,
    kill: true,
  };
  const history = syntheticHistory(options);
  const measures = measure(history, settingsOf(options));

  it("take each child's time from the line that lists it", () => {
    const listed = new Map<string, number>();
    const seen = new Map<string, number>();
    for (const e of history) {
      if (e.type === "event" && e.name === "split-done")
        for (const child of e.children as string[]) listed.set(child, e.t);
      if (e.type === "leases")
        for (const key of Object.keys(e.owners)) if (!seen.has(key)) seen.set(key, e.t);
    }
    const millis = [...listed].map(([child, t]) => (seen.get(child) as number) - t);
    expect(listed.size).toBe(4);
    expect(measures.childDetectionMillis?.max).toBe(Math.max(...millis));
  });

  it("give the recovery after a kill", () => {
    expect(measures.recoveries).toHaveLength(1);
    expect(measures.recoveries[0]?.ownedMillis).toBeGreaterThanOrEqual(4_000);
    expect(measures.recoveries[0]?.flowingMillis).toBeGreaterThan(
      measures.recoveries[0]?.ownedMillis as number,
    );
  });

  it("give the leases per worker at the end of each phase", () => {
    expect(measures.distributions.map(({ phase, leases }) => [phase, Object.values(leases)])).toEqual([
      ["start", [2, 2]],
      ["split", [3, 3]],
      ["scale", [2, 2, 2]],
      ["rest", [3, 3]],
    ]);
  });
});

describe("the seed's formula", () => {
  it.each([
    [20, 3, [7, 7, 6]],
    [30, 3, [10, 10, 10]],
    [30, 5, [6, 6, 6, 6, 6]],
    [40, 3, [10, 10, 10]],
    [1, 3, [1, 0, 0]],
  ])("%i shards on %i workers: %j", (shards, workers, expected) => {
    expect(evenDistribution(shards, workers, 10)).toEqual(expected);
  });

  it("rounds the cap up, and gives nobody anything when there is nobody", () => {
    expect([leaseCap(20, 3, 10), leaseCap(30, 5, 10), leaseCap(99, 3, 10), leaseCap(5, 0, 10)]).toEqual([
      7, 6, 10, 0,
    ]);
  });
});

describe("percentiles", () => {
  it("are nearest-rank, the same from numbers and from a histogram", () => {
    const values = Array.from({ length: 100 }, (_, i) => i + 1);
    const histogram = new MillisHistogram();
    for (const value of values) histogram.add(value);
    for (const fraction of [0.01, 0.5, 0.99, 1])
      expect(histogram.percentile(fraction)).toBe(percentile(values, fraction));
    expect([percentile([], 0.5), new MillisHistogram().percentile(0.5)]).toEqual([undefined, undefined]);
  });

  it("of durations beyond the exact range are the maximum", () => {
    const histogram = new MillisHistogram();
    histogram.add(500_000);
    expect([histogram.percentile(0.5), histogram.max]).toEqual([500_000, 500_000]);
  });
});

describe("the cost of the calls", () => {
  it("prices writes and half-unit reads over a month", () => {
    // 100 writes and 300 polls in one minute.
    const cost = dynamoDbCost(
      { "DynamoDB.UpdateItem": 100, "DynamoDB.GetItem": 300, "Kinesis.GetRecords": 9_999 },
      60_000,
    );
    expect(cost).toEqual({ writeUnitsPerMinute: 100, readUnitsPerMinute: 150, dollarsPerMonth: 3.56 });
  });

  it("is unknown where nothing was counted", () => {
    expect(dynamoDbCost({}, 60_000)).toBeUndefined();
  });
});
