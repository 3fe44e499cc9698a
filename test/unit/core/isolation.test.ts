/**
 * A failing batch as a game against every downstream: which records are called poison, how often the handler
 * is called, and in which order.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Isolation, type IsolationCall, type IsolationRules } from "../../../src/core/isolation.ts";
import { retryDelayMillis, retryOf } from "../../../src/engine/reader/retry.ts";
import { seededRandom } from "../../../src/ports/random.ts";

const SKIP: IsolationRules = { maxAttempts: undefined, mayTryAhead: true, proofs: 2 };
const STOP: IsolationRules = { maxAttempts: undefined, mayTryAhead: false, proofs: 1 };

interface Game {
  readonly passed: number[];
  readonly givenUp: number[];
  readonly calls: { readonly atMillis: number; readonly call: IsolationCall; readonly passes: boolean }[];
  /** Whether every record was processed or given up in time. */
  readonly isOver: boolean;
}

/** Plays a batch with the default pauses. `passes` stands for the downstream and the data together. */
function play(
  keys: readonly string[],
  rules: IsolationRules,
  passes: (indexes: readonly number[], atMillis: number) => boolean,
  { millis = 3_600_000, seed = 1, callMillis = 5 } = {},
): Game {
  const isolation = new Isolation(keys, rules, { longestRecovery: 0 });
  const random = seededRandom(seed);
  const game = { passed: [] as number[], givenUp: [] as number[], calls: [] as Game["calls"][number][] };
  let now = 0;
  for (;;) {
    const call = isolation.next();
    if (call === undefined) return { ...game, isOver: true };
    if (now >= millis) return { ...game, isOver: false };
    const isPassed = passes(call.indexes, now);
    game.calls.push({ atMillis: now, call, passes: isPassed });
    now += callMillis;
    if (isPassed) {
      isolation.passed(call);
      game.passed.push(...call.indexes);
      continue;
    }
    isolation.failed(call);
    const isUrgent = isolation.isUrgent;
    while (isolation.verdict !== undefined) {
      if (!rules.mayTryAhead) return { ...game, givenUp: [isolation.first], isOver: true };
      game.givenUp.push(isolation.first);
      isolation.settleFirst();
    }
    if (!isUrgent) now += retryDelayMillis(isolation.failuresInRow, retryOf(), random);
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const keysOf = (count: number, keys: number) => upTo(count).map((index) => `k${(index * 7_919) % keys}`);
const batch = fc.record({ count: fc.integer({ min: 1, max: 60 }), keys: fc.integer({ min: 1, max: 12 }) });

describe("a handler that must not be given many records", () => {
  it("is given no more of them in any call, and all of them", () => {
    const isolation = new Isolation(keysOf(40, 5), SKIP, { longestRecovery: 0 });
    const sizes: number[] = [];
    for (let call = isolation.next(3); call !== undefined; call = isolation.next(3)) {
      sizes.push(call.indexes.length);
      if (sizes.length <= 5) isolation.failed(call);
      else isolation.passed(call);
    }
    expect(Math.max(...sizes)).toBe(3);
    expect(isolation.first).toBe(40);
  });
});

describe("a downstream that is down", () => {
  it.each([
    ["skip or deadLetter", SKIP],
    ["stop", STOP],
  ])(
    "with %s: whatever the batch and the dice, no record is poison in ten minutes, and it gets at most 40 calls",
    (_, rules) => {
      fc.assert(
        fc.property(
          batch,
          fc.nat(),
          fc.integer({ min: 0, max: 2_000 }),
          ({ count, keys }, seed, callMillis) => {
            const game = play(keysOf(count, keys), rules, () => false, { millis: 600_000, seed, callMillis });
            expect(game.givenUp).toEqual([]);
            expect(game.calls.length).toBeLessThanOrEqual(40);
          },
        ),
      );
    },
  );

  it("costs four whole calls; after that it is asked with one record at a time", () => {
    const game = play(keysOf(1_000, 50), SKIP, () => false, { millis: 600_000 });
    const sizes = game.calls.map(({ call }) => call.indexes.length);
    expect(sizes.slice(0, 4)).toEqual([1_000, 1_000, 1_000, 1_000]);
    expect(new Set(sizes.slice(4))).toEqual(new Set([1]));
  });

  it("loses nothing when it comes back, and the batch grows to its size again", () => {
    fc.assert(
      fc.property(
        batch,
        fc.nat(),
        fc.integer({ min: 1, max: 900_000 }),
        ({ count, keys }, seed, downMillis) => {
          const game = play(keysOf(count, keys), SKIP, (_, now) => now >= downMillis, { seed });
          expect(game.givenUp).toEqual([]);
          expect(game.isOver).toBe(true);
          expect(game.passed.toSorted((a, b) => a - b)).toEqual(upTo(count));
          const after = game.calls.filter(({ passes }) => passes).length;
          expect(after).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(count + 1)));
          // The longest pause, and the call after it.
          expect(game.calls.find(({ passes }) => passes)!.atMillis).toBeLessThan(downMillis + 30_000 + 10);
        },
      ),
    );
  });

  it("and lets one call through now and then: at most one record in a hundred outages of ten minutes is taken for poison", () => {
    let lost = 0;
    for (let seed = 1; seed <= 100; seed += 1) {
      const prng = seededRandom(seed);
      const passes = (_: readonly number[], now: number) => now >= 600_000 || prng.next() < 0.05;
      lost += play(keysOf(60, 12), SKIP, passes, { seed }).givenUp.length;
    }
    expect(lost).toBeLessThanOrEqual(1);
  });
});

describe("poison in a batch whose other records pass", () => {
  const poisoned = batch.chain(({ count, keys }) =>
    fc.record({
      keys: fc.constant(keysOf(count, keys)),
      poison: fc.uniqueArray(fc.nat(count - 1), { maxLength: 4 }),
    }),
  );

  it("no other record is given up, every other one passes exactly once, in order within its key", () => {
    fc.assert(
      fc.property(poisoned, fc.nat(), ({ keys, poison }, seed) => {
        const isPoison = new Set(poison);
        const game = play(keys, SKIP, (indexes) => !indexes.some((index) => isPoison.has(index)), { seed });
        expect(game.givenUp.every((index) => isPoison.has(index))).toBe(true);
        expect(new Set(game.passed).size).toBe(game.passed.length);
        for (const key of new Set(keys)) {
          const ofKey = game.passed.filter((index) => keys[index] === key);
          expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
        }
        if (!game.isOver) return;
        const settled = [...game.passed, ...game.givenUp].toSorted((a, b) => a - b);
        expect(settled).toEqual(upTo(keys.length));
      }),
    );
  });

  it("all of it is found where later records of enough other keys pass", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(39), { maxLength: 6 }), fc.nat(), (poison, seed) => {
        const isPoison = new Set(poison);
        // Ten healthy records, with keys of their own, at the end of the batch.
        const keys = [...keysOf(40, 7), ...upTo(10).map((index) => `own-${index}`)];
        const passes = (indexes: readonly number[]) => !indexes.some((index) => isPoison.has(index));
        const game = play(keys, SKIP, passes, { seed });
        expect(game.givenUp.toSorted((a, b) => a - b)).toEqual(poison.toSorted((a, b) => a - b));
        expect(game.isOver).toBe(true);
      }),
    );
  });

  it("one in ten thousand records takes a few seconds and few calls, wherever it is", () => {
    for (const poison of [0, 1, 17, 4_999, 5_000, 9_997]) {
      const game = play(keysOf(10_000, 101), SKIP, (indexes) => !indexes.includes(poison));
      expect(game.givenUp).toEqual([poison]);
      expect(game.calls.length).toBeLessThanOrEqual(64);
      expect(game.calls.at(-1)!.atMillis).toBeLessThan(15_000);
    }
  });

  it("with stop: the order of the shard is kept, and the poison is named once a record before it has passed", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 200 }), fc.nat(), (count, seed) => {
        const poison = 1 + (seed % (count - 1));
        const game = play(keysOf(count, 5), STOP, (indexes) => !indexes.includes(poison), { seed });
        expect(game.passed).toEqual(upTo(poison));
        expect(game.givenUp).toEqual([poison]);
      }),
    );
  });

  it("alone in its batch it is not told from a downstream that is down, until a later record is appended and passes", () => {
    const isolation = new Isolation(["a"], SKIP, { longestRecovery: 0 });
    for (let tries = 0; tries < 20; tries += 1) isolation.failed(isolation.next()!);
    expect(isolation.verdict).toBeUndefined();
    expect(isolation.lacksNeighbours).toBe(true);
    isolation.append(["a", "b", "c"]);
    for (const expected of [[2], [0], [3], [0]]) {
      const call = isolation.next()!;
      expect(call.indexes).toEqual(expected);
      if (call.kind === "ahead") isolation.passed(call);
      else isolation.failed(call);
    }
    expect(isolation.verdict).toBe("poison");
  });
});

describe("a downstream that fails at random", () => {
  it.each([0.01, 0.2, 0.5])(
    "for each record with the chance %d: hardly a record is taken for poison",
    (chance) => {
      let lost = 0;
      for (let seed = 1; seed <= 30; seed += 1) {
        const prng = seededRandom(seed);
        const passes = (indexes: readonly number[]) => indexes.every(() => prng.next() >= chance);
        const game = play(keysOf(200, 40), SKIP, passes, { seed });
        expect(game.isOver).toBe(true);
        lost += game.givenUp.length;
      }
      expect(lost / (30 * 200)).toBeLessThan(0.002);
    },
  );
});

describe("attempts", () => {
  it("a record is given up at maxAttempts, but never with its neighbours: the last attempt is one alone", () => {
    for (const maxAttempts of [1, 2, 3, 5, 9]) {
      const isolation = new Isolation(keysOf(8, 3), { ...STOP, maxAttempts }, { longestRecovery: 0 });
      let calls = 0;
      while (isolation.verdict === undefined) {
        isolation.failed(isolation.next()!);
        calls += 1;
      }
      expect(isolation.verdict).toBe("attempts");
      expect(calls).toBe(Math.max(2, maxAttempts));
      expect(isolation.first).toBe(0);
    }
  });
});
