/**
 * The test environment keeps its own rules: time, processes, and rules that the conformance suite cannot
 * require of a real stream.
 */
import { describe, expect, it } from "vitest";
import { memoryStream, streamRules } from "./memory-stream.ts";
import { Prng } from "./prng.ts";
import { Scheduler } from "./scheduler.ts";
import { SimProcess } from "./sim-clock.ts";
import { StreamData } from "./stream-data.ts";

describe("virtual time", () => {
  it("runs events in order of time and settles each event's promises before the next", async () => {
    const scheduler = new Scheduler(new Prng(1));
    const seen: string[] = [];
    const chain = async (name: string) => {
      for (let depth = 0; depth < 5; depth++) await Promise.resolve();
      seen.push(name);
    };
    scheduler.at(20, "late", () => void chain("late"));
    scheduler.at(10, "early", () => void chain("early"));
    await scheduler.run(100);
    expect(seen).toEqual(["early", "late"]);
    expect(scheduler.now).toBe(100);
  });

  it("holds a paused process's timers until it is resumed, while its clock goes on", async () => {
    const scheduler = new Scheduler(new Prng(1));
    const process = new SimProcess("w", scheduler, { rate: 1.01, wallOffsetMillis: 3_600_000 });
    const start = process.clock.monotonicMillis();
    let wokenAt = 0;
    void process.clock.sleep(101).then(() => {
      wokenAt = scheduler.now;
    });
    process.pause();
    scheduler.at(500, "resume", () => process.resume());
    await scheduler.run(1_000);
    expect(wokenAt).toBeCloseTo(500);
    expect(process.clock.monotonicMillis() - start).toBeCloseTo(1_010);
  });

  it("never wakes a process that is gone, and wakes an aborted sleep at once", async () => {
    const scheduler = new Scheduler(new Prng(1));
    const [gone, alive] = [new SimProcess("gone", scheduler), new SimProcess("alive", scheduler)];
    const woken: string[] = [];
    void gone.clock.sleep(10).then(() => woken.push("gone"));
    const abort = new AbortController();
    void alive.clock.sleep(1_000_000, abort.signal).then(() => woken.push("alive"));
    gone.kill();
    abort.abort();
    await scheduler.run(100);
    expect(woken).toEqual(["alive"]);
  });
});

describe("memory stream", () => {
  const make = (rules = {}) => {
    let now = 0;
    const data = new StreamData(1, undefined, () => now);
    const stream = memoryStream(data, streamRules(rules), { now: () => now });
    const pass = (millis: number) => {
      now += millis;
    };
    return { data, stream, pass, now: () => now, shardId: data.shards()[0]!.shard.shardId };
  };

  it("lets iterators expire and throttles the sixth read in a second", async () => {
    const { stream, pass, shardId } = make({ iteratorLifeMillis: 5_000 });
    const iterator = await stream.iterator(shardId, { kind: "latest" });
    for (let read = 0; read < 5; read++) await stream.read(iterator, 10);
    await expect(stream.read(iterator, 10)).rejects.toMatchObject({ problem: "throttled" });
    pass(1_001);
    await stream.read(iterator, 10);
    pass(5_000);
    await expect(stream.read(iterator, 10)).rejects.toMatchObject({ problem: "expired-iterator" });
  });

  it("refuses to split or merge what is closed, and to merge what has no neighbour above", () => {
    const { data, shardId } = make();
    expect(data.merge(shardId)).toBe(false);
    expect(data.split(shardId)).toBe(true);
    expect(data.split(shardId)).toBe(false);
    const [lower, upper] = data.openShards();
    expect(data.merge(upper!.shard.shardId)).toBe(false);
    expect(data.merge(lower!.shard.shardId)).toBe(true);
    expect(data.openShards().map(({ shard }) => shard.parentShardIds.length)).toEqual([2]);
  });

  it("says how long the oldest unread record has waited, also when a read found nothing on its way", async () => {
    const found = [false, true];
    const { data, pass, shardId, now } = make();
    const stream = memoryStream(data, streamRules(), { now, findsNothing: () => found.shift() === false });
    data.put("k", 0n, 1);
    pass(700);
    const first = await stream.read(await stream.iterator(shardId, { kind: "trim-horizon" }), 10);
    expect(first).toMatchObject({ records: [], millisBehindLatest: 700 });
    const second = await stream.read(first.nextIterator!, 10);
    expect(second.records).toHaveLength(1);
    expect(second.millisBehindLatest).toBe(0);
  });

  it("forgets a trimmed shard: not listed, not read, whatever iterator one has", async () => {
    const { data, stream, shardId } = make();
    const iterator = await stream.iterator(shardId, { kind: "trim-horizon" });
    data.split(shardId);
    data.trim(shardId);
    expect((await stream.listShards()).map((shard) => shard.closed)).toEqual([false, false]);
    await expect(stream.read(iterator, 10)).rejects.toMatchObject({ problem: "not-found" });
  });
});
