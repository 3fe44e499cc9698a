/**
 * The hook before a lease is handed over: what a checkpoint there means when the last batch succeeded,
 * failed, or was interrupted.
 */
import { describe, expect, it } from "vitest";
import type { CheckpointFunction, ShutdownRequested } from "../../../src/engine/reader/reader-options.ts";
import { checkpointAt, SHARD_ID, sequence, shardWorld, type WorldSetup } from "./shard-world.ts";

const drained = async (shutdownRequested: ShutdownRequested, setup: WorldSetup, afterMillis: number) => {
  const options = {
    checkpointMode: "manual",
    maxRecords: 3,
    hooks: { shutdownRequested },
    ...setup.options,
  } as const;
  const world = shardWorld({ prepare: (stream) => stream.put(6), ...setup, options });
  await world.clock.advance(afterMillis);
  world.consumer.drain();
  await world.clock.until(() => world.outcome !== undefined);
  return world;
};

const failsFromTheFourthOn: WorldSetup["handler"] = ({ records }) => {
  if (records.some((record) => record.sequenceNumber === sequence(4))) throw new Error("no");
};

describe("shutdownRequested", () => {
  it("checkpoints, without a position, all that the handler has finished", async () => {
    const world = await drained(({ checkpoint }) => checkpoint(), {}, 2_000);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(6) });
  });

  it.each([
    ["whose every try failed (the shard is halted)", 20_000],
    ["whose retries the drain interrupted", 210],
  ])("does not pass over a batch %s", async (_, afterMillis) => {
    const handler = failsFromTheFourthOn;
    const world = await drained(({ checkpoint }) => checkpoint(), { handler }, afterMillis);
    expect(world.indexes()).toContain(4);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(3) });
  });

  it("takes a record of a failed batch where it is named: the handler knows how far it came", async () => {
    const world = await drained(
      ({ shardId, checkpoint }) => {
        expect(shardId).toBe(SHARD_ID);
        return checkpoint({ sequenceNumber: sequence(5) });
      },
      { handler: failsFromTheFourthOn },
      20_000,
    );
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(5) });
  });

  it("that never resolves holds the hand-over up for 30 s, is said, and may checkpoint no more after that", async () => {
    const kept: CheckpointFunction[] = [];
    const hang: ShutdownRequested = ({ checkpoint }) => {
      kept.push(checkpoint);
      return new Promise(() => undefined);
    };
    const world = shardWorld({ options: { hooks: { shutdownRequested: hang } }, prepare: (s) => s.put(3) });
    await world.clock.advance(1_000);
    world.consumer.drain();
    await world.clock.advance(29_000);
    expect(world.outcome).toBeUndefined();
    await world.clock.advance(1_500);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(3) });
    expect(world.logs.filter(({ level }) => level === "error").map(({ message }) => message)).toEqual([
      expect.stringContaining("shutdownRequested failed"),
    ]);
    expect(() => kept[0]?.()).toThrow("checkpoint refused");
  });

  it("that never resolves does not hold up a stop", async () => {
    const shutdownRequested = () => new Promise<void>(() => undefined);
    const world = shardWorld({ options: { hooks: { shutdownRequested } } });
    await world.clock.advance(1_000);
    world.consumer.drain();
    await world.clock.advance(1_000);
    world.consumer.stop();
    await world.clock.settle();
    expect(world.outcome).toEqual({ kind: "lost" });
  });
});
