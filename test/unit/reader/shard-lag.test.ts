/** The lag that a shard reader reports grows by itself while the shard is not read. */
import { describe, expect, it } from "vitest";
import { ReadLag } from "../../../src/engine/reader/lag.ts";
import type { StreamErrorClass } from "../../../src/ports/stream.ts";
import { WALL_START } from "../../../src/testing/virtual-clock.ts";
import { type ShardWorld, shardWorld } from "./shard-world.ts";

const HOUR = 3_600_000;
const lagOf = (world: ShardWorld) => world.consumer.status().millisBehindLatest;

describe("the lag of a shard", () => {
  it("is none while it is read at the tip, read or not in between", async () => {
    const world = shardWorld();
    for (let step = 0; step < 300; step += 1) {
      await world.clock.advance(730);
      expect(lagOf(world)).toBeLessThanOrEqual(20);
    }
  });

  it.each<[string, Parameters<typeof shardWorld>[0]]>([
    ["a handler that hangs", { handler: () => new Promise(() => undefined) }],
    ["a handler that fails for good", { handler: () => Promise.reject(new Error("down")) }],
  ])("grows by the hour with %s", async (_, setup) => {
    const world = shardWorld({ ...setup, prepare: (stream) => stream.put(10) });
    await world.clock.advance(10_000);
    const before = lagOf(world)!;
    await world.clock.advance(HOUR);
    expect(lagOf(world)! - before).toBe(HOUR);
    expect(lagOf(world)).toBeGreaterThan(HOUR);
  });

  it("grows by the hour while reads fail, from the last good one; status() says when that was, and why", async () => {
    const world = shardWorld({ prepare: (stream) => stream.put(10) });
    await world.clock.advance(10_500);
    world.stream.readFaults.push(...Array<StreamErrorClass>(5_000).fill("unavailable"));
    await world.clock.advance(HOUR);
    const { millisBehindLatest, lastReadMillis, lastReadError } = world.consumer.status();
    expect(millisBehindLatest).toBeGreaterThan(HOUR - 2_000);
    expect(millisBehindLatest).toBeLessThanOrEqual(HOUR);
    expect(lastReadMillis).toBe(WALL_START + 10_000);
    expect(lastReadError).toMatchObject({ source: "reading", errorClass: "unavailable" });
    expect(lastReadError!.atMillis).toBeGreaterThan(WALL_START + HOUR);
  });

  it("grows from the start where the first read never succeeds", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.refuses = () => "denied";
      },
    });
    await world.clock.advance(HOUR);
    expect(lagOf(world)).toBe(HOUR);
    expect(world.consumer.status().lastReadMillis).toBeUndefined();
  });

  it("is what Kinesis says, and the time since the next read was due", () => {
    const lag = new ReadLag(1_000);
    expect(lag.at(4_000)).toBe(3_000);
    lag.read({ millisBehindLatest: 500, atMillis: 7, nextDueMillis: 6_000 });
    expect([lag.at(5_000), lag.at(6_000), lag.at(6_250)]).toEqual([500, 500, 750]);
    expect(lag.wasAtTip).toBe(false);
    lag.read({ millisBehindLatest: 0, atMillis: 8, nextDueMillis: 7_000 });
    expect([lag.at(6_500), lag.wasAtTip, lag.lastReadMillis]).toEqual([0, true, 8]);
  });
});
