import { describe, expect, test } from "vitest";
import type { CheckResult, ReshardResult } from "../../../services/resharder/make-handler.ts";
import { StreamRefusal } from "../../../services/resharder/ports.ts";
import { expectWhole, invoke, planFor } from "./invoke.ts";
import { Crash, makeWorld, type World } from "./memory-stream.ts";

describe("plan", () => {
  test("says what will be done and why, and changes nothing", async () => {
    const world = makeWorld(20);
    const plan = await planFor(world, { targetShards: 30, targetTasks: 5 });
    expect(plan).toMatchObject({
      accepted: true,
      problem: "",
      targetShards: 30,
      targetTasks: 5,
      openShards: 20,
      direction: "split",
      stepCount: 10,
      workers: 0,
    });
    expect(plan.steps[0]).toEqual({ action: "split shard-0", reason: "widest: 5.00 % of the key space" });
    expectWhole(world, 20);
  });

  test("a later step that needs a child of the plan says so", async () => {
    const { steps } = await planFor(makeWorld(1), { targetShards: 3 });
    expect(steps.map(({ action }) => action)).toEqual(["split shard-0", "split a child of this plan"]);
  });

  test.each([
    [{ targetShards: -1 }, /^targetShards is -1; expected a whole number from 1 to 1000/],
    [{ targetShards: 2.5 }, /targetShards is 2.5/],
    [{ targetShards: "30" }, /targetShards is "30"/],
    [{ targetTasks: 1e9 }, /targetTasks is 1000000000; expected a whole number from 0 to 200/],
    [{ targetShard: 30 }, /unknown field "targetShard"; expected targetShards, targetTasks or force/],
    [{ targetShards: 30, force: "yes" }, /force is "yes"; expected true or false/],
    [{ targetShards: Number.POSITIVE_INFINITY }, /targetShards is Infinity/],
    [{ targetShards: [30] }, /targetShards is a list of 1/],
    [{ targetShards: "9".repeat(200_000) }, /targetShards is "9{60}" …; expected/],
    [{ "target\nShards": 30 }, /unknown field "target\\nShards"/],
    [[], /the input is \[\]; expected an object/],
    ["30", /the input is "30"; expected an object/],
    [null, /the input is null/],
  ])("refuses %j in one line", async (input, problem) => {
    const plan = await planFor(makeWorld(2), input);
    expect(plan).toMatchObject({
      accepted: false,
      errorName: "InvalidInput",
      problem: expect.stringMatching(problem),
    });
    expect(plan.problem).not.toContain("\n");
  });

  test("refuses while somebody else's reshard is under way, unless forced", async () => {
    const world = makeWorld(2);
    await world.stream.split("shard-0", 5n);
    expect(await planFor(world, { targetShards: 4 })).toMatchObject({
      accepted: false,
      errorName: "ReshardUnderWay",
    });
    expect(await planFor(world, { targetTasks: 4 })).toMatchObject({ accepted: true });
    expect(await planFor(world, { targetShards: 4, force: true })).toMatchObject({
      accepted: true,
      stepCount: 1,
    });
  });
});

describe("reshard", () => {
  test("20 to 30: ten splits, the fleet woken after each with its children listed", async () => {
    const world = makeWorld(20);
    const result = await invoke<ReshardResult>(world, { targetShards: 30 });
    expect(result).toMatchObject({ done: true, round: 1, splits: 10, merges: 0, openShards: 30 });
    expectWhole(world, 30);
    expect(world.fleet.wokenWith).toEqual([21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  });

  test("a second run does nothing but ring the bell", async () => {
    const world = makeWorld(20);
    await invoke(world, { targetShards: 30 });
    const again = await invoke<ReshardResult>(world, { targetShards: 30, force: true });
    expect(again).toMatchObject({ done: true, splits: 0, merges: 0, openShards: 30 });
    expect(world.fleet.wokenWith).toHaveLength(11);
  });

  test("goes round after round when the time of one does not suffice, and adds up", async () => {
    const world = makeWorld(4, 30_000);
    const plan = await planFor(world, { targetShards: 7 });
    let previous: ReshardResult | undefined;
    for (let i = 0; i < 10 && !previous?.done; i++) {
      previous = await invoke<ReshardResult>(
        world,
        { action: "reshard", plan, previous: previous ?? { round: 0, splits: 0, merges: 0 } },
        60_000,
      );
    }
    expect(previous).toMatchObject({ done: true, splits: 3, openShards: 7 });
    expect(previous!.round).toBeGreaterThan(1);
    expectWhole(world, 7);
  });

  test.each([
    [6, 9],
    [9, 4],
    [4, 9],
    [8, 3],
  ])(
    "a crash before or after any call, %i to %i shards: the next run finishes with no step too many",
    async (from, to) => {
      const undisturbed = makeWorld(from);
      await invoke(undisturbed, { targetShards: to });
      for (let call = 1; call <= undisturbed.stream.calls; call++) {
        for (const afterEffect of [false, true]) {
          const world = makeWorld(from);
          world.stream.crashAt = { call, afterEffect };
          await expect(invoke(world, { targetShards: to })).rejects.toThrow(Crash);
          expect((await invoke<ReshardResult>(world, { targetShards: to, force: true })).done).toBe(true);
          expectWhole(world, to);
          // Every change creates its children once: no more than in the undisturbed run.
          expect(world.stream.shards).toHaveLength(undisturbed.stream.shards.length);
          expect(world.fleet.wokenWith.at(-1)).toBe(to);
        }
      }
    },
  );

  test("refusals are waited out and looked at anew; a stream that always refuses is given up with its reason", async () => {
    const world = makeWorld(4);
    world.stream.refusals = [
      new StreamRefusal("throttled", "LimitExceededException: slowly"),
      new StreamRefusal("busy", "in use"),
    ];
    const before = world.clock.now;
    expect(await invoke(world, { targetShards: 5 })).toMatchObject({ done: true, splits: 1 });
    expect(world.clock.now).toBeGreaterThan(before + 200);
    expect(world.logged.filter((message) => message.includes("refused"))).toHaveLength(2);

    const refused = makeWorld(4);
    refused.stream.refusals = Array.from(
      { length: 99 },
      () => new StreamRefusal("throttled", "LimitExceededException: shard limit"),
    );
    await expect(invoke(refused, { targetShards: 5 })).rejects.toThrow("LimitExceededException: shard limit");
    expectWhole(refused, 4);
  });

  test("two at once with the same target make no step twice", async () => {
    const world = makeWorld(6);
    await Promise.all([
      invoke(world, { targetShards: 9, force: true }),
      invoke(world, { targetShards: 9, force: true }),
    ]);
    expectWhole(world, 9);
    expect(world.stream.shards).toHaveLength(12);
  });

  test("a plan that another reshard has overtaken stops instead of undoing the other's work", async () => {
    const world = makeWorld(4);
    const plan = await planFor(world, { targetShards: 6 });
    await invoke(world, { targetShards: 8 });
    const event = { action: "reshard" as const, plan, previous: { round: 0, splits: 0, merges: 0 } };
    await expect(invoke(world, event)).rejects.toThrow(
      /StalePlan|the plan was to split up to 6 open shards, but there are 8 now/,
    );
    expectWhole(world, 8);
  });

  test("a stream that is being changed by somebody else is left alone, unless forced", async () => {
    const world = makeWorld(2);
    await world.stream.split("shard-0", 5n);
    await expect(invoke(world, { targetShards: 4 })).rejects.toThrow(
      /is being resharded already; wait .* or insist with force/,
    );
    expect(await invoke(world, { targetShards: 4, force: true })).toMatchObject({ done: true, splits: 1 });
  });

  test("a bell that cannot be rung does not fail the reshard, and is logged", async () => {
    const world = makeWorld(2);
    world.fleet.failsToWake = true;
    expect(await invoke(world, { targetShards: 3 })).toMatchObject({ done: true });
    expect(world.logged).toContain(
      "the fleet could not be woken; it will find the children at its next shard sync",
    );
  });

  test("wrong use is named", async () => {
    await expect(invoke(makeWorld(2), {})).rejects.toThrow(/targetShards is missing/);
    await expect(invoke(makeWorld(2), { targetShards: 0 })).rejects.toThrow(/targetShards is 0/);
    await expect(invoke(makeWorld(2), { action: "split" } as never)).rejects.toThrow(
      /unknown action "split"; expected plan, reshard/,
    );
  });
});

describe("checkOwned and checkConverged", () => {
  const owned = (...owners: string[]) =>
    owners.map((owner, i) => ({ leaseKey: `shard-${i}`, owner: owner || undefined }));
  const check = async (world: World, action: "checkOwned" | "checkConverged", input: object) => {
    const plan = await planFor(world, input);
    world.clock.now += 700;
    return invoke<CheckResult>(world, { action, plan, previous: { round: 2 } });
  };

  test("not done while a shard has no lease row, or a row without owner; says which", async () => {
    const world = makeWorld(3);
    world.fleet.leases = owned("a", "");
    const result = await check(world, "checkOwned", { targetTasks: 2 });
    expect(result).toMatchObject({ done: false, unowned: 2, round: 3, elapsedMillis: 700, owners: { a: 1 } });
    expect(result.problem).toMatch(/^2 of 3 open shards have no owner \(shard-1, shard-2\)/);
    world.fleet.leases = owned("a", "b", "b");
    expect(await check(world, "checkOwned", {})).toMatchObject({ done: true, problem: "" });
  });

  test("leases of closed shards do not count", async () => {
    const world = makeWorld(2);
    world.fleet.leases = [
      ...owned("a", "b"),
      { leaseKey: "closed-1", owner: "a" },
      { leaseKey: "closed-2", owner: "a" },
    ];
    expect(await check(world, "checkConverged", {})).toMatchObject({ done: true, owners: { a: 1, b: 1 } });
  });

  test("converged: as many owners as tasks, within one of each other", async () => {
    const world = makeWorld(5);
    world.fleet.leases = owned("a", "a", "b", "b", "c");
    expect(await check(world, "checkConverged", { targetTasks: 3 })).toMatchObject({ done: true });
    expect(await check(world, "checkConverged", {})).toMatchObject({ done: true });
    expect((await check(world, "checkConverged", { targetTasks: 4 })).problem).toBe(
      "3 workers own shards; expected 4",
    );
    world.fleet.leases = owned("a", "a", "a", "b", "c");
    expect((await check(world, "checkConverged", { targetTasks: 3 })).problem).toBe(
      "shards per worker are uneven: 3/1/1",
    );
  });

  test("more tasks than shards: every shard with an owner of its own", async () => {
    const world = makeWorld(2);
    world.fleet.leases = owned("a", "b");
    expect(await check(world, "checkConverged", { targetTasks: 7 })).toMatchObject({ done: true });
  });

  test("scaled to none: done when nobody owns anything any more", async () => {
    const world = makeWorld(2);
    world.fleet.leases = owned("a", "");
    expect((await check(world, "checkConverged", { targetTasks: 0 })).problem).toBe(
      "1 workers still own shards; none should",
    );
    world.fleet.leases = owned("", "");
    expect(await check(world, "checkConverged", { targetTasks: 0 })).toMatchObject({ done: true });
  });

  test("where no worker runs, nobody is waited for; where tasks are to come, only their balance is", async () => {
    const world = makeWorld(2);
    expect(await check(world, "checkOwned", {})).toMatchObject({ done: true });
    expect(await check(world, "checkConverged", {})).toMatchObject({ done: true });
    expect(await check(world, "checkOwned", { targetTasks: 2 })).toMatchObject({ done: true });
    expect(await check(world, "checkConverged", { targetTasks: 2 })).toMatchObject({ done: false });
  });
});
