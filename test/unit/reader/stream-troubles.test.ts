import { describe, expect, it } from "vitest";
import type { StreamProblem } from "../../../services/consumer/ports/stream.ts";
import { checkpointAt, indexOf, SHARD_ID, shard, shardWorld, upTo } from "./shard-world.ts";

const times = (count: number, problem: StreamProblem) => Array<StreamProblem>(count).fill(problem);

describe("a stream in trouble", () => {
  it.each(["throttled", "unavailable"] as const)(
    "%s: tries again less and less often, never gives up, loses nothing",
    async (problem) => {
      const world = shardWorld({
        prepare: (stream) => {
          stream.put(5);
          stream.readFaults.push(...times(60, problem));
          stream.iteratorFaults.push(...times(3, problem));
        },
      });
      await world.clock.advance(60_000);
      const early = world.stream.reads.length;
      await world.clock.until(() => world.delivered.length === 5, 3_600_000, 1_000);
      expect(early).toBeLessThan(40);
      expect(world.indexes()).toEqual(upTo(5));
      const starts = world.stream.reads.map((read) => read.at);
      for (const [index, start] of starts.entries()) {
        const pause = start - (starts[index - 1] ?? Number.NEGATIVE_INFINITY);
        expect(pause).toBeGreaterThanOrEqual(200);
        if (index > 0) expect(pause).toBeLessThanOrEqual(10_200);
      }
      const warnings = world.logs.filter((line) => line.level === "warn");
      expect(warnings.length).toBeLessThanOrEqual(world.clock.now / 30_000 + 1);
      expect(world.logs.some((line) => line.message === "reading again")).toBe(true);
    },
  );

  it("an expired iterator is replaced at once by one after the last record read", async () => {
    const world = shardWorld({
      prepare: (stream) => stream.put(5),
      handler: (_, { clock, calls }) => clock.sleep(calls.length === 1 ? 400_000 : 0),
    });
    await world.clock.advance(1_000);
    world.stream.put(5);
    world.stream.readFaults.push("expired-iterator");
    await world.clock.advance(500_000);
    expect(world.indexes()).toEqual(upTo(10));
    // The injected one, and the one that came of age while the handler took its time.
    expect(world.stream.positions.slice(1)).toEqual(
      [5, 10].map((n) => ({
        kind: "after-sequence-number",
        sequenceNumber: checkpointAt(n).sequenceNumber,
      })),
    );
    expect(world.metrics.filter((metric) => metric.name === "ExpiredIterator").length).toBe(2);
  });

  it("LATEST that expires before its first record still brings what was put since", async () => {
    const world = shardWorld({
      checkpoint: { sequenceNumber: "LATEST", subSequenceNumber: 0 },
      prepare: (stream) => stream.put(5),
    });
    await world.clock.advance(60_000);
    world.stream.readFaults.push("throttled", "expired-iterator");
    await world.clock.advance(1_000);
    world.stream.put(3);
    await world.clock.advance(30_000);
    expect(world.indexes().filter((index) => index > 5)).toEqual([6, 7, 8]);
  });

  it("a refused checkpoint (trimmed away) falls back to the trim horizon with a loud line", async () => {
    const world = shardWorld({
      checkpoint: checkpointAt(3),
      prepare: (stream) => {
        stream.put(10);
        stream.trim(6);
        stream.iteratorFaults.push("invalid");
      },
    });
    await world.clock.advance(5_000);
    expect(world.stream.positions).toEqual([{ kind: "trim-horizon" }]);
    expect(world.indexes()).toEqual([7, 8, 9, 10]);
    expect(world.logs.some((line) => line.level === "error" && line.message.includes("trim horizon"))).toBe(
      true,
    );
  });

  it("LATEST that is refused for a while stays LATEST: the past is not replayed", async () => {
    const world = shardWorld({
      checkpoint: { sequenceNumber: "LATEST", subSequenceNumber: 0 },
      prepare: (stream) => {
        stream.put(10);
        stream.iteratorFaults.push(...times(4, "not-found"), ...times(4, "invalid"));
      },
    });
    await world.clock.advance(120_000);
    world.stream.put(1);
    await world.clock.advance(5_000);
    expect(world.indexes()).toEqual([11]);
  });

  it("a checkpoint that was refused though it is not trimmed away repeats nothing", async () => {
    const world = shardWorld({
      checkpoint: checkpointAt(3),
      prepare: (stream) => {
        stream.put(10);
        stream.iteratorFaults.push("invalid");
      },
    });
    await world.clock.advance(5_000);
    expect(world.indexes()).toEqual([4, 5, 6, 7, 8, 9, 10]);
  });

  it("refused iterators are replaced, and what was read is not delivered again even from the trim horizon", async () => {
    const world = shardWorld({ options: { maxRecords: 4 }, prepare: (stream) => stream.put(10) });
    await world.clock.until(() => world.delivered.length === 4);
    world.stream.readFaults.push(...times(4, "invalid"));
    await world.clock.advance(60_000);
    expect(world.stream.positions.map((position) => position.kind)).toContain("trim-horizon");
    expect(world.indexes()).toEqual(upTo(10));
  });

  it("a shard that is not found, but listed, is tried again and not taken for ended", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.put(3);
        stream.iteratorFaults.push(...times(30, "not-found"));
      },
    });
    await world.clock.until(() => world.delivered.length === 3, 3_600_000, 1_000);
    expect(world.outcome).toBeUndefined();
    expect(world.stream.listings).toBe(30);
  });

  it('a checkpoint that is "not found" in a shard that is listed (as kinesis-mock says) falls back to the trim horizon', async () => {
    const world = shardWorld({
      checkpoint: checkpointAt(3),
      prepare: (stream) => {
        stream.put(6);
        stream.iteratorFaults.push(...times(3, "not-found"));
      },
    });
    await world.clock.advance(30_000);
    expect(world.stream.positions).toEqual([{ kind: "trim-horizon" }]);
    expect(world.indexes()).toEqual([4, 5, 6]);
  });

  it("a shard that a listing forgets for less than a minute is not taken for ended", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.shards = [shard("shardId-000000000009")];
        stream.put(3);
        stream.iteratorFaults.push(...times(6, "not-found"));
      },
    });
    await world.clock.until(() => world.delivered.length === 3, 60_000);
    expect(world.outcome).toBeUndefined();
  });

  it("a shard that stays out of the listings for a minute is gone: ended, with its children, loudly", async () => {
    const children = [shard("shardId-000000000001", [SHARD_ID])];
    const world = shardWorld({
      prepare: (stream) => {
        stream.shards = children;
        stream.iteratorFaults.push(...times(1_000, "not-found"));
      },
    });
    await world.clock.advance(59_000);
    expect(world.outcome).toBeUndefined();
    await world.clock.advance(30_000);
    expect(world.outcome).toMatchObject({ kind: "ended", children });
    expect(
      world.logs.some((line) => line.level === "error" && line.message.includes("no longer in the stream")),
    ).toBe(true);
  });

  it("an empty listing (the stream is gone or not there yet) proves nothing about a shard", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.shards = [];
        stream.iteratorFaults.push(...times(1_000, "not-found"));
      },
    });
    await world.clock.advance(600_000);
    expect(world.outcome).toBeUndefined();
  });

  it("an answer that was lost is read again from the same place", async () => {
    const world = shardWorld({ options: { maxRecords: 3 }, prepare: (stream) => stream.put(9) });
    world.stream.readFaults.push(undefined, "unavailable", undefined, "unavailable");
    await world.clock.advance(30_000);
    expect(world.delivered.map(indexOf)).toEqual(upTo(9));
  });
});
