import { describe, expect, test } from "vitest";
import { IncompleteListing } from "../../../services/resharder/plan-reshard.ts";
import { StreamRefusal, TableRefusal } from "../../../services/resharder/ports.ts";
import { expectWhole, invoke, planFor } from "./invoke.ts";
import { makeWorld } from "./memory-stream.ts";

describe("a listing that lags behind a change", () => {
  const cases = [
    [4, 7],
    [9, 4],
    [4, 8],
    [8, 4],
    [5, 23],
  ].flatMap(([from, to]) =>
    (["hole", "before"] as const).flatMap((shows) =>
      [1, 3, 6].map((listings) => ({ from: from!, to: to!, shows, listings })),
    ),
  );
  test.each(cases)(
    "$from to $to, $listings listings show the $shows: done, no step too many",
    async ({ from, to, shows, listings }) => {
      const undisturbed = makeWorld(from);
      await invoke(undisturbed, { targetShards: to });
      const world = makeWorld(from);
      world.stream.lag = { listings, shows };
      expect(await invoke(world, { targetShards: to })).toMatchObject({ done: true, openShards: to });
      expectWhole(world, to);
      expect(world.stream.shards).toHaveLength(undisturbed.stream.shards.length);
    },
  );

  test("is waited for by plan and check as well", async () => {
    const world = makeWorld(4);
    world.stream.lag = { listings: 3, shows: "hole" };
    await world.stream.split("shard-0", 5n);
    const plan = await planFor(world, { targetShards: 6, force: true });
    expect(plan).toMatchObject({ accepted: true, openShards: 5, stepCount: 1 });
    await world.stream.split("shard-1", world.stream.shards[1]!.hashRange.end);
    world.fleet.leases = ["0", "2", "3", "4", "5"].map((id) => ({ leaseKey: `shard-${id}`, owner: "a" }));
    const check = { action: "checkOwned" as const, plan, previous: { round: 0 } };
    // The unowned children are not in the listing yet.
    expect(await invoke(world, check)).toMatchObject({
      done: false,
      problem: "the listing of the stream's shards is incomplete",
    });
  });

  test("for ever ends the action with its reason, and the state machine tries it again", async () => {
    const world = makeWorld(4);
    world.stream.lag = { listings: Number.POSITIVE_INFINITY, shows: "hole" };
    const before = world.clock.now;
    await expect(invoke(world, { targetShards: 7 })).rejects.toThrow(IncompleteListing);
    expect(world.clock.now - before).toBeGreaterThan(60_000);
    expect(world.clock.now - before).toBeLessThan(90_000);
    expectWhole(world, 5);
    world.stream.lag = undefined;
    world.stream.listAsIs();
    expect(await invoke(world, { targetShards: 7, force: true })).toMatchObject({ done: true });
  });
});

describe("reads that are refused", () => {
  test.each(["throttled", "unavailable", "busy", "stale"] as const)(
    "%s for a while, at any read: the reshard does the same steps",
    async (problem) => {
      for (let read = 0; read < 20; read++) {
        const world = makeWorld(4);
        const good = Array<undefined>(read).fill(undefined);
        const refused = Array.from({ length: 12 }, () => new StreamRefusal(problem, "Rate exceeded"));
        world.stream.readRefusals = [...good, ...refused];
        expect(await invoke(world, { targetShards: 7 })).toMatchObject({ done: true, splits: 3 });
        expectWhole(world, 7);
      }
    },
  );

  test("plan and check wait them out, of the stream and of the lease table", async () => {
    const world = makeWorld(2);
    const refuse = () => {
      world.stream.readRefusals = [new StreamRefusal("throttled", "Rate exceeded")];
      world.fleet.refusals = [
        new TableRefusal("throttled", "ProvisionedThroughputExceededException"),
        new TableRefusal("unavailable", "503"),
      ];
    };
    refuse();
    const plan = await planFor(world, { targetShards: 2, targetTasks: 1 });
    expect(plan.accepted).toBe(true);
    refuse();
    world.fleet.leases = ["shard-0", "shard-1"].map((leaseKey) => ({ leaseKey, owner: "a" }));
    const check = { action: "checkConverged" as const, plan, previous: { round: 0 } };
    expect(await invoke(world, check)).toMatchObject({ done: true, owners: { a: 2 } });
  });

  test("for ever: the action ends with AWS's reason within half a minute", async () => {
    const world = makeWorld(4);
    world.stream.readRefusals = Array.from(
      { length: 99 },
      () => new StreamRefusal("throttled", "Rate exceeded"),
    );
    const before = world.clock.now;
    await expect(invoke(world, { targetShards: 7 })).rejects.toThrow("Rate exceeded");
    expect(world.clock.now - before).toBeLessThan(30_000);
  });

  test("what does not pass by waiting is not waited for", async () => {
    const world = makeWorld(4);
    world.stream.status = async () => {
      throw Object.assign(new Error("not authorized"), { name: "AccessDeniedException" });
    };
    const before = world.clock.now;
    await expect(invoke(world, { targetShards: 7 })).rejects.toThrow("not authorized");
    expect(world.clock.now).toBe(before);
  });
});
