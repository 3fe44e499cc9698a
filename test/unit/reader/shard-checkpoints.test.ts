import { describe, expect, it } from "vitest";
import { CheckpointRefusedError } from "../../../src/core/errors.ts";
import type { CheckpointFunction } from "../../../src/engine/reader/reader-options.ts";
import { StoreUnavailableError } from "../../../src/ports/lease-store.ts";
import { checkpointAt, indexOf, type ShardWorld, shardWorld, upTo } from "./shard-world.ts";

const written = (world: ShardWorld) => world.lease.writes.map((write) => indexOf(write.checkpoint));

describe("automatic checkpoints", () => {
  it("writes at most once per interval, and the last progress of a shard that falls quiet within it", async () => {
    const world = shardWorld({ options: { checkpointIntervalMillis: 5_000 } });
    for (let second = 0; second < 22; second += 1) {
      world.stream.put(1);
      await world.clock.advance(1_000);
    }
    await world.clock.advance(6_000);
    const { writes } = world.lease;
    for (const [index, write] of writes.entries()) {
      expect(write.at - (writes[index - 1]?.at ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(5_000);
    }
    expect(writes.length).toBeGreaterThanOrEqual(5);
    expect(writes.length).toBeLessThanOrEqual(6);
    expect(writes.at(-1)?.checkpoint).toEqual(checkpointAt(22));
    await world.clock.advance(600_000);
    expect(world.lease.writes.length).toBe(writes.length);
  });

  it("writes after every batch with interval 0, before the next batch is delivered", async () => {
    const world = shardWorld({
      options: { checkpointIntervalMillis: 0, maxRecords: 2 },
      prepare: (stream, lease) => {
        stream.put(8);
        lease.writeMillis = 1_000;
      },
      handler: (_, running) => expect(written(running)).toEqual([2, 4, 6].slice(0, running.calls.length - 1)),
    });
    await world.clock.advance(5_000);
    expect(written(world)).toEqual([2, 4, 6, 8]);
  });

  it("retries when the store is unavailable, goes on processing, and then writes the newest progress only", async () => {
    const world = shardWorld({
      options: { checkpointIntervalMillis: 100, maxRecords: 1 },
      prepare: (stream, lease) => {
        stream.put(20);
        lease.outcomes.push(...Array.from({ length: 6 }, () => new StoreUnavailableError("down")));
      },
    });
    await world.clock.advance(60_000);
    expect(world.indexes()).toEqual(upTo(20));
    expect(written(world).length).toBeLessThan(20);
    expect(written(world).at(-1)).toBe(20);
    expect(world.outcome).toBeUndefined();
  });

  it("never writes for a batch that the handler has not finished", async () => {
    const world = shardWorld({
      options: { checkpointIntervalMillis: 0 },
      prepare: (stream) => stream.put(3),
      handler: () => new Promise(() => undefined),
    });
    await world.clock.advance(60_000);
    expect(world.lease.writes).toEqual([]);
  });
});

describe("manual checkpoints", () => {
  const manual = { checkpointMode: "manual", checkpointIntervalMillis: 0 } as const;

  it("writes what the handler asked for, and nothing else", async () => {
    const world = shardWorld({
      options: { ...manual, maxRecords: 4 },
      prepare: (stream) => stream.put(12),
      handler: async ({ records, checkpoint }, { calls }) => {
        if (calls.length === 1) await checkpoint(records[1]);
        if (calls.length === 3) await checkpoint();
      },
    });
    await world.clock.advance(10_000);
    expect(written(world)).toEqual([2, 12]);
  });

  it("has written the checkpoint when `await checkpoint()` returns with interval 0", async () => {
    const seen: number[] = [];
    const world = shardWorld({
      options: manual,
      prepare: (stream) => stream.put(3),
      handler: async ({ checkpoint }, running) => {
        await checkpoint({ sequenceNumber: checkpointAt(2).sequenceNumber });
        seen.push(...written(running));
      },
    });
    await world.clock.advance(1_000);
    expect(seen).toEqual([2]);
  });

  it("goes on writing after a checkpoint that had been written already", async () => {
    const world = shardWorld({
      options: { ...manual, maxRecords: 1 },
      prepare: (stream) => stream.put(3),
      handler: async ({ checkpoint }) => {
        await checkpoint();
        await checkpoint();
      },
    });
    await world.clock.advance(10_000);
    expect(written(world)).toEqual([1, 2, 3]);
  });

  it("has written it with interval 0 during a drain as well, also where the table fails at first", async () => {
    const seen: [number, number][] = [];
    const world = shardWorld({
      options: manual,
      prepare: (stream, lease) => {
        stream.put(3);
        lease.outcomes.push(new StoreUnavailableError("down"), new StoreUnavailableError("down"));
      },
      handler: async ({ records, checkpoint }, running) => {
        await running.clock.sleep(1_000);
        await checkpoint(records[0]);
        seen.push([running.clock.now, running.lease.writes.length]);
        await running.clock.sleep(5_000);
      },
    });
    await world.clock.advance(500);
    world.consumer.drain();
    await world.clock.advance(4_000);
    expect(written(world)).toEqual([1]);
    expect(seen).toHaveLength(1);
    expect(seen[0]?.[1]).toBe(1);
    await world.clock.advance(4_000);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(1) });
  });

  it("has written what shutdownRequested checkpoints with interval 0 when it resolves", async () => {
    const seen: number[] = [];
    const world = shardWorld({
      options: {
        ...manual,
        hooks: {
          shutdownRequested: async ({ checkpoint }) => {
            await checkpoint();
            seen.push(...written(world));
          },
        },
      },
      prepare: (stream) => stream.put(3),
    });
    await world.clock.advance(500);
    world.consumer.drain();
    await world.clock.advance(100);
    expect(seen).toEqual([3]);
  });

  it("drains with the last checkpoint the user asked for", async () => {
    const world = shardWorld({
      options: { checkpointMode: "manual", checkpointIntervalMillis: 60_000, maxRecords: 5 },
      prepare: (stream) => stream.put(10),
      handler: ({ records, checkpoint }) => {
        void checkpoint(records[2]);
      },
    });
    await world.clock.advance(1_000);
    world.consumer.drain();
    await world.clock.advance(100);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(8) });
  });

  it.each([
    [
      "beyond what was delivered",
      { sequenceNumber: checkpointAt(4).sequenceNumber },
      "beyond the last delivered",
    ],
    ["back", { sequenceNumber: checkpointAt(1).sequenceNumber }, "only go forward"],
    ["to a sentinel", { sequenceNumber: "LATEST" }, "is no position"],
    ["to a negative sub-sequence", { ...checkpointAt(2), subSequenceNumber: -1 }, "is no position"],
  ])("refuses a checkpoint %s with a clear error", async (_, position, message) => {
    const errors: unknown[] = [];
    const world = shardWorld({
      options: manual,
      prepare: (stream) => stream.put(3),
      handler: async ({ records, checkpoint }) => {
        await checkpoint(records[1]);
        try {
          await checkpoint(position);
        } catch (error) {
          errors.push(error);
        }
      },
    });
    await world.clock.advance(1_000);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(CheckpointRefusedError);
    expect((errors[0] as Error).message).toContain(message);
    expect(written(world)).toEqual([2]);
  });

  it("retries a failed batch behind what its handler had checkpointed", async () => {
    const world = shardWorld({
      options: manual,
      prepare: (stream) => stream.put(6),
      handler: async ({ records, checkpoint }, { calls }) => {
        if (calls.length > 1) return;
        await checkpoint(records[3]);
        throw new Error("after the fourth");
      },
    });
    await world.clock.advance(5_000);
    expect(world.indexes()).toEqual([...upTo(6), 5, 6]);
  });

  it("refuses what a call that timed out still wants to checkpoint", async () => {
    const kept: CheckpointFunction[] = [];
    const world = shardWorld({
      options: { ...manual, processTimeoutMillis: 1_000, onError: "stop" },
      prepare: (stream) => stream.put(2),
      handler: ({ checkpoint }) => {
        kept.push(checkpoint);
        return new Promise(() => undefined);
      },
    });
    await world.clock.until(() => kept.length === 2);
    expect(() => kept[0]?.()).toThrow(CheckpointRefusedError);
    expect(world.lease.writes).toEqual([]);
  });

  it("accepts a checkpoint asked for after its call ended well (work that goes on across batches)", async () => {
    const kept: CheckpointFunction[] = [];
    const world = shardWorld({
      options: { ...manual, maxRecords: 2 },
      prepare: (stream) => stream.put(4),
      handler: ({ checkpoint }) => {
        kept.push(checkpoint);
      },
    });
    await world.clock.advance(2_000);
    await Promise.all([kept[0]?.(), world.clock.advance(100)]);
    expect(written(world)).toEqual([2]);
  });

  it("refuses every checkpoint once the lease is lost", async () => {
    let keep: CheckpointFunction | undefined;
    const world = shardWorld({
      options: manual,
      prepare: (stream) => stream.put(2),
      handler: ({ checkpoint }) => {
        keep = checkpoint;
      },
    });
    await world.clock.advance(1_000);
    world.consumer.stop();
    await world.clock.settle();
    expect(() => keep?.()).toThrow("no longer reads the shard");
  });
});
