import { describe, expect, it } from "vitest";
import { RecordLag } from "../../../lab/monitor/web/record-lag.ts";

const put = (t: number, shardId: string, n: number) =>
  ({ type: "put", t, key: "k", n, shardId, sequenceNumber: String(n) }) as const;
const handled = (t: number, shardId: string, n: number) =>
  ({ type: "record", t, worker: "ann", shardId, key: "k", n, sequenceNumber: String(n) }) as const;
const OWNERS = new Map([
  ["a", "ann"],
  ["b", "ann"],
]);

describe("records that wait", () => {
  it("are counted per shard and worker with the age of the oldest, slowest shard first", () => {
    const lag = new RecordLag();
    for (const event of [
      put(100, "a", 1),
      put(200, "a", 2),
      put(150, "b", 3),
      put(400, "c", 4),
      handled(500, "a", 1),
    ])
      lag.observe(event);
    expect(lag.at(1_000, OWNERS)).toEqual({
      shards: [
        { key: "b", waiting: 1, oldestMillis: 850 },
        { key: "a", waiting: 1, oldestMillis: 800 },
        { key: "c", waiting: 1, oldestMillis: 600 },
      ],
      workers: { ann: { waiting: 2, oldestMillis: 850 } },
    });
  });

  it("are none when the handling was read before the put", () => {
    const lag = new RecordLag();
    lag.observe(handled(500, "a", 1));
    lag.observe(put(100, "a", 1));
    expect(lag.at(1_000, OWNERS)).toEqual({ shards: [], workers: {} });
  });

  it("are forgotten when they are of an earlier run", () => {
    const lag = new RecordLag();
    lag.observe(put(0, "a", 1));
    lag.observe(put(300_000, "a", 2));
    expect(lag.at(700_000, OWNERS).shards).toEqual([{ key: "a", waiting: 1, oldestMillis: 400_000 }]);
  });
});
