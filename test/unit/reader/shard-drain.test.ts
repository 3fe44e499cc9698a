import { describe, expect, it } from "vitest";
import { createByteBudget } from "../../../src/engine/reader/byte-budget.ts";
import { checkpointAt, SHARD_ID, shard, shardWorld, upTo } from "./shard-world.ts";

describe("drain: a planned move", () => {
  it("finishes the batch in hand, drops what was read ahead, and writes nothing itself", async () => {
    const world = shardWorld({
      options: { maxRecords: 10 },
      prepare: (stream) => stream.put(100),
      handler: (_, { clock }) => clock.sleep(3_000),
    });
    await world.clock.advance(1_000);
    world.consumer.drain();
    expect(world.consumer.status().state).toBe("draining");
    await world.clock.advance(1_000);
    expect(world.outcome).toBeUndefined();
    const writes = world.lease.writes.length;
    await world.clock.until(() => world.outcome !== undefined);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(10) });
    expect(world.indexes()).toEqual(upTo(10));
    expect(world.stream.reads.length).toBe(2);
    expect(world.lease.writes.length).toBe(writes);
    expect(world.consumer.status()).toMatchObject({ state: "finished", bufferedBytes: 0 });
  });

  it("at the tip, makes one last read when the last one is more than 200 ms old, and delivers what it brings", async () => {
    const world = shardWorld();
    await world.clock.advance(500);
    world.stream.put(3);
    world.consumer.drain();
    await world.clock.advance(20);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(3) });
    expect(world.stream.reads.length).toBe(2);
  });

  it("reports a last read that found nothing", async () => {
    const world = shardWorld();
    await world.clock.advance(5_500);
    const start = world.clock.wallMillis();
    world.consumer.drain();
    await world.clock.advance(20);
    expect(world.events.slice(1)).toEqual([
      { type: "batch", shardId: SHARD_ID, count: 0, readAtMillis: start, finishedAtMillis: start + 10 },
    ]);
  });

  it("makes no last read within 200 ms of the one before, but reports that one", async () => {
    const world = shardWorld();
    await world.clock.advance(5_100);
    const readAtMillis = world.clock.wallMillis() - 100;
    world.consumer.drain();
    await world.clock.settle();
    expect(world.outcome?.kind).toBe("drained");
    expect(world.stream.reads.length).toBe(6);
    expect(world.events.slice(1)).toEqual([
      { type: "batch", shardId: SHARD_ID, count: 0, readAtMillis, finishedAtMillis: readAtMillis + 10 },
    ]);
  });

  it("takes a read that is under way for the last one", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.put(2);
        stream.readLatencyMillis = 400;
      },
    });
    await world.clock.advance(100);
    world.consumer.drain();
    await world.clock.advance(1_000);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(2) });
    expect(world.stream.reads.length).toBe(1);
  });

  it("does not wait longer than a second for a read that hangs, and delivers nothing of it afterwards", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.put(2);
        stream.readLatencyMillis = 30_000;
      },
    });
    await world.clock.advance(100);
    world.consumer.drain();
    await world.clock.advance(1_000);
    expect(world.outcome).toEqual({
      kind: "drained",
      checkpoint: { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 },
    });
    await world.clock.advance(60_000);
    expect(world.calls).toEqual([]);
  });

  it("reads nothing from an iterator that comes when the lease is given away", async () => {
    const world = shardWorld({ handler: (_, { clock }) => clock.sleep(3_000) });
    await world.clock.advance(500);
    world.stream.put(3);
    // An end without children is read once more, with an iterator of its own.
    world.stream.closed = true;
    await world.clock.until(() => world.calls.length === 1);
    world.stream.iteratorLatencyMillis = 5_000;
    const reads = world.stream.reads.length;
    world.consumer.drain();
    await world.clock.advance(5_000);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(3) });
    await world.clock.advance(10_000);
    expect(world.stream.reads.length).toBe(reads);
  });

  it("makes no last read of a shard that is behind: its backlog is the new owner's", async () => {
    const world = shardWorld({
      // Room for one record at a time: nothing is fetched ahead.
      deps: { budget: createByteBudget(2_000) },
      prepare: (stream) => stream.put(20, 990),
      handler: (_, { clock }) => clock.sleep(1_000),
    });
    await world.clock.advance(500);
    world.consumer.drain();
    await world.clock.advance(2_000);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(1) });
    expect(world.stream.reads.length).toBe(1);
  });

  it("does not wait for a stream that throttles", async () => {
    const world = shardWorld({ prepare: (stream) => stream.readFaults.push(...Array(50).fill("throttled")) });
    await world.clock.advance(5_000);
    world.consumer.drain();
    await world.clock.settle();
    expect(world.outcome?.kind).toBe("drained");
  });

  it("leaves a failing batch to the new owner instead of retrying it", async () => {
    const world = shardWorld({
      options: { maxRecords: 2 },
      prepare: (stream) => stream.put(6),
      handler: ({ records }) => {
        if (records.some((record) => record.sequenceNumber === checkpointAt(3).sequenceNumber))
          throw new Error("no");
      },
    });
    await world.clock.until(() => world.calls.length === 2);
    world.consumer.drain();
    await world.clock.advance(100);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(2) });
  });

  it("says ended when its last read was the end of the shard", async () => {
    const world = shardWorld();
    await world.clock.advance(500);
    world.stream.put(1);
    world.stream.closed = true;
    world.stream.children = [shard("shardId-000000000001", [SHARD_ID])];
    world.consumer.drain();
    await world.clock.advance(20);
    expect(world.outcome).toEqual({
      kind: "ended",
      children: world.stream.children,
      checkpoint: checkpointAt(1),
    });
  });

  it("returns the lease's own checkpoint when nothing was processed", async () => {
    const world = shardWorld({ checkpoint: checkpointAt(4), prepare: (stream) => stream.put(4) });
    await world.clock.advance(500);
    world.consumer.drain();
    await world.clock.advance(50);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(4) });
  });

  it("resolves only after a checkpoint write that is under way", async () => {
    const world = shardWorld({
      options: { checkpointIntervalMillis: 1 },
      prepare: (stream) => stream.put(1),
    });
    await world.clock.advance(12);
    world.consumer.drain();
    await world.clock.settle();
    expect(world.outcome).toBeUndefined();
    await world.clock.advance(10);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(1) });
    expect(world.lease.writes.length).toBe(1);
  });

  it("says lost, not drained, when that write finds the lease lost", async () => {
    const world = shardWorld({
      options: { checkpointIntervalMillis: 1 },
      prepare: (stream, lease) => {
        stream.put(1);
        lease.outcomes.push("lost");
      },
    });
    await world.clock.advance(12);
    world.consumer.drain();
    await world.clock.advance(10);
    expect(world.outcome).toEqual({ kind: "lost" });
  });
});

describe("stop: the lease is lost", () => {
  it("aborts the handler's signal, drops what is buffered, writes nothing and says lost once the handler is out", async () => {
    const reasons: unknown[] = [];
    const world = shardWorld({
      options: { maxRecords: 5, checkpointIntervalMillis: 0 },
      prepare: (stream) => stream.put(50),
      handler: async ({ signal }, { clock }) => {
        await clock.sleep(60_000, signal);
        reasons.push(signal.reason);
        await clock.sleep(100);
      },
    });
    await world.clock.advance(1_000);
    world.consumer.stop();
    await world.clock.settle();
    expect(world.outcome).toBeUndefined();
    await world.clock.advance(100);
    expect(world.outcome).toEqual({ kind: "lost" });
    expect(String(reasons[0])).toContain("lease was lost");
    await world.clock.advance(60_000);
    expect(world.calls.length).toBe(1);
    expect(world.lease.writes).toEqual([]);
    expect(world.consumer.status().bufferedBytes).toBe(0);
  });

  it("does not wait for ever for a handler that ignores its signal", async () => {
    const world = shardWorld({
      prepare: (stream) => stream.put(1),
      handler: () => new Promise(() => undefined),
    });
    await world.clock.advance(1_000);
    world.consumer.stop();
    await world.clock.advance(5_000);
    expect(world.outcome).toEqual({ kind: "lost" });
  });

  it("comes from a checkpoint whose fence failed, too", async () => {
    const world = shardWorld({
      options: { checkpointIntervalMillis: 0, maxRecords: 1 },
      prepare: (stream, lease) => {
        stream.put(5);
        lease.outcomes.push("ok", "lost");
      },
    });
    await world.clock.advance(10_000);
    expect(world.outcome).toEqual({ kind: "lost" });
    expect(world.indexes()).toEqual([1, 2]);
  });
});
