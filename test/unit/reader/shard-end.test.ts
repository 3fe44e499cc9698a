/**
 * Between the last record of a shard and SHARD_END: the hook, and with manual checkpoints the last
 * checkpoint.
 */
import { describe, expect, it } from "vitest";
import type { CheckpointFunction, ShardEnded } from "../../../src/engine/reader/reader-options.ts";
import { checkpointAt, SHARD_ID, shard, shardWorld, type WorldSetup } from "./shard-world.ts";

const ending = (setup: WorldSetup = {}) =>
  shardWorld({
    ...setup,
    prepare: (stream, lease, clock) => {
      stream.put(6);
      stream.closed = true;
      stream.children = [shard("shardId-000000000001", [SHARD_ID])];
      setup.prepare?.(stream, lease, clock);
    },
  });

const MANUAL = { checkpointMode: "manual", checkpointIntervalMillis: 0 } as const;

describe("the end of a shard, with manual checkpoints", () => {
  it("never passes over records that the handler has not checkpointed: it waits, says so, and a drain hands them over", async () => {
    const world = ending({
      options: MANUAL,
      handler: ({ records, checkpoint }) => checkpoint(records[3]),
    });
    await world.clock.advance(600_000);
    expect(world.outcome).toBeUndefined();
    expect(world.consumer.status()).toMatchObject({
      activity: { kind: "waiting" },
      checkpoint: checkpointAt(4),
    });
    const warnings = world.logs.filter(({ level }) => level === "warn");
    expect(warnings).toHaveLength(2);
    expect(warnings[0]?.message).toContain("call checkpoint in shardEnded");
    world.consumer.drain();
    await world.clock.settle();
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(4) });
  });

  it("ends with a checkpoint that comes late, from work that goes on across batches", async () => {
    const kept: CheckpointFunction[] = [];
    const world = ending({ options: MANUAL, handler: ({ checkpoint }) => void kept.push(checkpoint) });
    await world.clock.advance(20_000);
    expect(world.outcome).toBeUndefined();
    await Promise.all([kept[0]?.(), world.clock.advance(50)]);
    expect(world.outcome).toMatchObject({ kind: "ended", checkpoint: checkpointAt(6) });
  });

  it("ends when shardEnded has checkpointed, as in KCL", async () => {
    const shardEnded: ShardEnded = ({ shardId, checkpoint }) => {
      expect(shardId).toBe(SHARD_ID);
      return checkpoint();
    };
    const world = ending({ options: { ...MANUAL, hooks: { shardEnded } } });
    await world.clock.advance(1_000);
    expect(world.outcome).toMatchObject({ kind: "ended", checkpoint: checkpointAt(6) });
  });

  it("does not wait for records that were passed over", async () => {
    const world = ending({
      options: { ...MANUAL, onError: "skip", retry: { maxAttempts: 3 } },
      handler: ({ records, checkpoint }) => {
        if (records.some(({ sequenceNumber }) => sequenceNumber === checkpointAt(6).sequenceNumber))
          throw new Error("bad");
        return checkpoint();
      },
    });
    await world.clock.advance(30_000);
    expect(world.outcome).toMatchObject({ kind: "ended", checkpoint: checkpointAt(5) });
  });

  it("ends at once where the lease's checkpoint covers all records", async () => {
    const world = ending({ options: MANUAL, checkpoint: checkpointAt(6) });
    await world.clock.advance(1_000);
    expect(world.calls).toEqual([]);
    expect(world.outcome).toMatchObject({ kind: "ended", checkpoint: checkpointAt(6) });
  });
});

describe("shardEnded", () => {
  it("is called when all is processed, and waited for", async () => {
    const calls: number[] = [];
    const world = ending({
      options: {
        hooks: {
          shardEnded: async () => {
            calls.push(world.delivered.length);
            await world.clock.sleep(5_000);
          },
        },
      },
    });
    await world.clock.advance(4_000);
    expect(world.outcome).toBeUndefined();
    await world.clock.advance(2_000);
    expect(calls).toEqual([6]);
    expect(world.outcome).toEqual({
      kind: "ended",
      children: world.stream.children,
      checkpoint: checkpointAt(6),
    });
  });

  it("is called again when it throws, with growing pauses, said once", async () => {
    let calls = 0;
    const shardEnded = () => {
      calls += 1;
      if (calls < 8) throw new Error("flush failed");
    };
    const world = ending({ options: { hooks: { shardEnded } } });
    await world.clock.until(() => world.outcome !== undefined);
    expect(world.outcome).toMatchObject({ kind: "ended" });
    expect(calls).toBe(8);
    expect(world.logs.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  it("that never resolves costs its own shard: it is warned about, and a drain gives it up after 30 s", async () => {
    const world = ending({ options: { hooks: { shardEnded: () => new Promise(() => undefined) } } });
    await world.clock.advance(60_000);
    expect(world.consumer.status().activity.kind).toBe("hook");
    expect(world.logs.filter(({ level }) => level === "warn").map(({ message }) => message)).toEqual([
      expect.stringContaining("a hook has been running for long"),
    ]);
    world.consumer.drain();
    await world.clock.advance(29_000);
    expect(world.outcome).toBeUndefined();
    await world.clock.advance(2_000);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(6) });
  });

  it("whose answer is lost once is called again after five minutes, and that is said", async () => {
    let calls = 0;
    const shardEnded = () => {
      calls += 1;
      return calls === 1 ? new Promise<void>(() => undefined) : undefined;
    };
    const world = ending({ options: { hooks: { shardEnded } } });
    await world.clock.advance(290_000);
    expect([calls, world.outcome]).toEqual([1, undefined]);
    await world.clock.advance(20_000);
    expect(calls).toBe(2);
    expect(world.outcome).toMatchObject({ kind: "ended" });
    const [error] = world.logs.filter(({ level }) => level === "error");
    expect(String(error?.fields.err)).toContain("shardEnded did not finish within 300000 ms");
  });

  it("that never resolves does not hold up a stop", async () => {
    const world = ending({ options: { hooks: { shardEnded: () => new Promise(() => undefined) } } });
    await world.clock.advance(2_000);
    world.consumer.stop();
    await world.clock.settle();
    expect(world.outcome).toEqual({ kind: "lost" });
  });
});
