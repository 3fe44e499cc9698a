import { describe, expect, it } from "vitest";
import { checkpointAt, SHARD_ID, shard, shardWorld, upTo } from "./shard-world.ts";

describe("reading a shard", () => {
  it("delivers every record once, in order, and resolves ended with the children after the last one is processed", async () => {
    const children = [shard("shardId-000000000001", [SHARD_ID]), shard("shardId-000000000002", [SHARD_ID])];
    const world = shardWorld({
      options: { maxRecords: 7 },
      prepare: (stream) => {
        stream.put(50);
        stream.closed = true;
        stream.children = children;
      },
      handler: (_, { clock, outcome }) => {
        expect(outcome).toBeUndefined();
        return clock.sleep(30);
      },
    });
    await world.clock.until(() => world.outcome !== undefined);
    expect(world.indexes()).toEqual(upTo(50));
    expect(world.outcome).toEqual({ kind: "ended", children, checkpoint: checkpointAt(50) });
  });

  it("begins behind the lease's checkpoint", async () => {
    const world = shardWorld({ checkpoint: checkpointAt(20), prepare: (stream) => stream.put(30) });
    await world.clock.advance(500);
    expect(world.indexes()).toEqual(upTo(30).slice(20));
    expect(world.stream.positions).toEqual([
      { kind: "at-sequence-number", sequenceNumber: checkpointAt(20).sequenceNumber },
    ]);
  });

  it("calls the handler once at a time and reads at most one batch ahead of it", async () => {
    let running = 0;
    const world = shardWorld({
      options: { maxRecords: 10 },
      prepare: (stream) => stream.put(200),
      handler: async (_, { clock, stream, calls }) => {
        running += 1;
        expect(running).toBe(1);
        await clock.sleep(2_000);
        expect(stream.reads.length).toBeLessThanOrEqual(calls.length + 1);
        running -= 1;
      },
    });
    await world.clock.advance(15_000);
    expect(world.calls.length).toBe(8);
    expect(world.stream.reads.length).toBe(9);
  });

  it("makes at most five reads in any second while it catches up", async () => {
    const world = shardWorld({ options: { maxRecords: 1 }, prepare: (stream) => stream.put(100) });
    await world.clock.until(() => world.delivered.length === 100);
    const starts = world.stream.reads.map((read) => read.at);
    for (const [index, start] of starts.entries()) {
      expect(start - (starts[index - 1] ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(200);
    }
    expect(world.clock.now).toBeLessThanOrEqual(100 * 200 + 50);
  });

  it("stays below 2 MiB a second when answers are large", async () => {
    const world = shardWorld({ prepare: (stream) => stream.put(40, 1024 * 1024) });
    await world.clock.until(() => world.delivered.length === 40);
    let allowedAt = 0;
    for (const read of world.stream.reads) {
      expect(read.at).toBeGreaterThanOrEqual(allowedAt);
      allowedAt = read.at + (read.bytes / (2 * 1024 * 1024)) * 1000;
    }
    expect(world.stream.reads[0]?.count).toBe(9);
  });

  it("waits the idle time from start to start once it is at the tip, whether a read found something or not", async () => {
    const world = shardWorld({ options: { idleTimeBetweenReadsMillis: 1_000 } });
    for (let second = 0; second < 30; second += 1) {
      if (second % 3 === 0) world.stream.put(2);
      await world.clock.advance(1_000);
    }
    expect(world.stream.reads.length).toBeGreaterThanOrEqual(30);
    expect(world.stream.reads.length).toBeLessThanOrEqual(31);
  });

  it("reads a long idle shard half as often, and normally again with its next record", async () => {
    const world = shardWorld();
    await world.clock.advance(60_000);
    const quiet = world.stream.reads.length;
    await world.clock.advance(60_000);
    expect(world.stream.reads.length - quiet).toBeLessThanOrEqual(31);
    world.stream.put(1);
    await world.clock.until(() => world.delivered.length === 1, 2_100);
    const busy = world.stream.reads.length;
    await world.clock.advance(10_000);
    expect(world.stream.reads.length - busy).toBeGreaterThanOrEqual(9);
  });

  it("opens LATEST at the tip, and AT_TIMESTAMP at the configured time", async () => {
    const latest = shardWorld({
      checkpoint: { sequenceNumber: "LATEST", subSequenceNumber: 0 },
      options: { initialPosition: "LATEST" },
      prepare: (stream) => stream.put(5),
    });
    await latest.clock.advance(100);
    latest.stream.put(2);
    await latest.clock.advance(2_000);
    expect(latest.indexes()).toEqual([6, 7]);

    const date = new Date(Date.UTC(2025, 5, 1));
    const timed = shardWorld({
      checkpoint: { sequenceNumber: "AT_TIMESTAMP", subSequenceNumber: 0 },
      options: { initialPosition: date },
    });
    await timed.clock.advance(100);
    expect(timed.stream.positions).toEqual([{ kind: "at-timestamp", timestamp: date }]);
  });

  it("begins LATEST where the lease's row was made", async () => {
    const world = shardWorld({
      checkpoint: { sequenceNumber: "LATEST", subSequenceNumber: 0 },
      options: { initialPosition: "LATEST" },
      prepare: (_, lease) => {
        lease.startMillis = 1_700_000_000_000;
      },
    });
    await world.clock.advance(5_000);
    expect(world.stream.positions).toEqual([
      { kind: "at-timestamp", timestamp: new Date(1_700_000_000_000) },
    ]);
  });

  it("asks the gate before every handler call and does not call a handler whose lease was lost at the gate", async () => {
    let open: () => void = () => undefined;
    const world = shardWorld({
      prepare: (stream) => stream.put(3),
      deps: {
        whenFresh: () =>
          new Promise<void>((resolve) => {
            open = resolve;
          }),
      },
    });
    await world.clock.advance(5_000);
    expect(world.calls).toEqual([]);
    world.consumer.stop();
    open();
    await world.clock.advance(10_000);
    expect(world.calls).toEqual([]);
    expect(world.outcome).toEqual({ kind: "lost" });
  });

  it("reports the first read even when it is empty, then non-empty batches only, with read and finish times", async () => {
    const world = shardWorld({ handler: (_, { clock }) => clock.sleep(300) });
    await world.clock.advance(3_500);
    world.stream.put(4);
    await world.clock.advance(3_000);
    const start = world.clock.wallMillis() - world.clock.now;
    expect(world.events).toEqual([
      { type: "batch", shardId: SHARD_ID, count: 0, readAtMillis: start, finishedAtMillis: start + 10 },
      {
        type: "batch",
        shardId: SHARD_ID,
        count: 4,
        readAtMillis: start + 4_000,
        finishedAtMillis: start + 4_310,
      },
    ]);
  });

  it("measures under KCL's names", async () => {
    const world = shardWorld({ prepare: (stream) => stream.put(4, 96) });
    await world.clock.advance(500);
    const value = (name: string, operation: string) =>
      world.metrics.find((metric) => metric.name === name && metric.operation === operation)?.value;
    expect(value("RecordsProcessed", "ProcessTask")).toBe(4);
    expect(value("DataBytesProcessed", "ProcessTask")).toBe(4 * (96 + "key-1".length));
    expect(value("Success", "ProcessTask")).toBe(1);
    expect(value("RecordProcessor.processRecords.Time", "ProcessTask")).toBe(0);
    expect(value("MillisBehindLatest", "ApplicationTracker")).toBe(0);
    expect(
      world.metrics.find((metric) => metric.operation === "ApplicationTracker")?.shardId,
    ).toBeUndefined();
  });
});
