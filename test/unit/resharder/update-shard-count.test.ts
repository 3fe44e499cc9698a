import { describe, expect, test } from "vitest";
import { expectWhole, invoke, planFor } from "./invoke.ts";
import { makeWorld } from "./memory-stream.ts";

describe("UpdateShardCount", () => {
  test("doubles and halves an even stream in one call, with the shards that single steps would make", async () => {
    const world = makeWorld(20);
    const plan = await planFor(world, { targetShards: 40 });
    expect(plan).toMatchObject({ direction: "split", stepCount: 20, updateShardCountTo: 40 });
    expect(await invoke(world, { targetShards: 40 })).toMatchObject({
      done: true,
      splits: 0,
      updates: 1,
      openShards: 40,
    });
    expectWhole(world, 40);
    expect(world.fleet.wokenWith).toEqual([40]);
    expect(await invoke(world, { targetShards: 20 })).toMatchObject({ done: true, merges: 0, updates: 1 });
    expectWhole(world, 20);
  });

  test("is followed by what is left: 10 to 43 are two doublings and three splits", async () => {
    const world = makeWorld(10);
    expect(await invoke(world, { targetShards: 43 })).toMatchObject({ done: true, updates: 2, splits: 3 });
    expectWhole(world, 43);
  });

  test("is not used where the plan's shards are not even, so that 20 to 30 makes no shard on the way", async () => {
    const world = makeWorld(20);
    expect(await planFor(world, { targetShards: 30 })).toMatchObject({ updateShardCountTo: null });
    expect(await invoke(world, { targetShards: 30 })).toMatchObject({ updates: 0, splits: 10 });
    expect(world.stream.shards).toHaveLength(40);
  });

  test.each([
    [4, 8, { splits: 4 }],
    [8, 4, { merges: 4 }],
  ])("refused for good (ten a day), %i to %i goes on step by step", async (from, to, steps) => {
    const world = makeWorld(from);
    world.stream.updatesAllowed = 0;
    expect(await invoke(world, { targetShards: to })).toMatchObject({ done: true, updates: 0, ...steps });
    expectWhole(world, to);
  });

  test("is left alone while the stream's summary does not agree with the listing", async () => {
    const world = makeWorld(4);
    world.stream.openShardCount = async () => 8;
    expect(await invoke(world, { targetShards: 8 })).toMatchObject({ done: true, updates: 0, splits: 4 });
  });
});
