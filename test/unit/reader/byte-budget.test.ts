import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createByteBudget } from "../../../src/engine/reader/byte-budget.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { shardWorld, upTo } from "./shard-world.ts";

const MIB = 1024 * 1024;

describe("the byte budget", () => {
  it("never grants a sum beyond itself, and never refuses a shard with nothing buffered", () => {
    const steps = fc.array(
      fc.record({ shard: fc.nat(9), want: fc.integer({ min: 1, max: 10 * MIB }), release: fc.boolean() }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1_000, max: 64 * MIB }),
        steps,
        (shards, size, all) => {
          const budget = createByteBudget(size);
          const accounts = Array.from({ length: shards }, () => budget.open());
          for (const { shard, want, release } of all) {
            const account = accounts[shard % shards]!;
            if (release) {
              account.release(account.bufferedBytes);
              continue;
            }
            const nothingBuffered = account.bufferedBytes === 0;
            const granted = account.reserve(want);
            expect(granted).toBeLessThanOrEqual(want);
            if (nothingBuffered)
              expect(granted).toBeGreaterThanOrEqual(Math.min(want, Math.floor(size / 4 / shards)));
            expect(budget.usedBytes).toBeLessThanOrEqual(size);
          }
          for (const account of accounts) account.close();
          expect(budget.usedBytes).toBe(0);
        },
      ),
    );
  });

  it("a closed account gives everything back, and what is settled or released later changes nothing", () => {
    const budget = createByteBudget(1_000);
    const account = budget.open();
    const granted = account.reserve(300);
    account.close();
    account.settle(granted, 5_000);
    account.release(300);
    account.close();
    expect(budget.usedBytes).toBe(0);
  });

  it("lets a shard through whose single record is larger than the whole budget", async () => {
    const world = shardWorld({
      deps: { budget: createByteBudget(10_000) },
      prepare: (stream) => stream.put(5, MIB),
    });
    await world.clock.advance(60_000);
    expect(world.indexes()).toEqual(upTo(5));
  });

  it("shards go on with small reads while others hold the budget in handlers that hang", async () => {
    const clock = new VirtualClock();
    const budget = createByteBudget(4 * MIB);
    const hanging = [1, 2, 3].map((seed) =>
      shardWorld({
        clock,
        seed,
        deps: { budget },
        prepare: (stream) => stream.put(20_000, 1_000),
        handler: () => new Promise(() => undefined),
      }),
    );
    await clock.advance(10_000);
    expect(hanging.every((world) => world.calls.length === 1)).toBe(true);
    const late = shardWorld({
      clock,
      deps: { budget },
      prepare: (stream) => stream.put(2_000, 1_000),
    });
    await clock.advance(60_000);
    expect(late.indexes()).toEqual(upTo(2_000));
    expect(budget.usedBytes).toBeLessThanOrEqual(4 * MIB * 1.2);
    for (const world of [...hanging, late]) world.consumer.stop();
    await clock.advance(10_000);
    expect(budget.usedBytes).toBe(0);
  });

  it("bounds what many shards with backlogs hold together, once their record sizes are known", async () => {
    const clock = new VirtualClock();
    const size = 8 * MIB;
    const budget = createByteBudget(size);
    const worlds = Array.from({ length: 8 }, (_, seed) =>
      shardWorld({
        clock,
        seed,
        deps: { budget },
        prepare: (stream) => stream.put(6_000, 1_000),
        handler: () => clock.sleep(700),
      }),
    );
    let most = 0;
    while (worlds.some((world) => world.delivered.length < 6_000) && clock.now < 600_000) {
      await clock.advance(50);
      most = Math.max(most, budget.usedBytes);
    }
    expect(worlds.every((world) => world.delivered.length === 6_000)).toBe(true);
    expect(most).toBeLessThanOrEqual(size);
    expect(most).toBeGreaterThan(size / 4);
  });
});
