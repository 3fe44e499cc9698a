import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  IncompleteListing,
  inOneCall,
  nextStep,
  type OpenShard,
  planReshard,
  type ReshardStep,
} from "../../../services/resharder/plan-reshard.ts";
import { FULL_RANGE, holes, MAX_HASH_KEY, midpoint, width } from "../../../src/core/hash-range.ts";

/** As Kinesis cuts a new stream. */
function evenShards(count: number): OpenShard[] {
  const size = width(FULL_RANGE) / BigInt(count);
  return Array.from({ length: count }, (_, i) => ({
    shardId: `s${i}`,
    hashRange: { start: size * BigInt(i), end: i === count - 1 ? MAX_HASH_KEY : size * BigInt(i + 1) - 1n },
    splitFrom: undefined,
  }));
}

/** Performs a plan. Shards that steps name without an id get ids. */
function apply(shards: readonly OpenShard[], steps: readonly ReshardStep[]): OpenShard[] {
  let nextId = 1_000;
  const state = [...shards];
  const at = (start: bigint) => state.findIndex((shard) => shard.hashRange.start === start);
  for (const step of steps) {
    if (step.kind === "split") {
      const index = at(step.shard.hashRange.start);
      const parent = state[index]!;
      expect(parent.hashRange).toEqual(step.shard.hashRange);
      const child = (start: bigint, end: bigint) => ({
        shardId: `s${nextId++}`,
        hashRange: { start, end },
        splitFrom: parent.shardId,
      });
      state.splice(
        index,
        1,
        child(parent.hashRange.start, step.newStartingHashKey - 1n),
        child(step.newStartingHashKey, parent.hashRange.end),
      );
    } else {
      const index = at(step.lower.hashRange.start);
      const hashRange = { start: state[index]!.hashRange.start, end: state[index + 1]!.hashRange.end };
      expect(state[index + 1]!.hashRange).toEqual(step.upper.hashRange);
      state.splice(index, 2, { shardId: `s${nextId++}`, hashRange, splitFrom: undefined });
    }
  }
  return state;
}

const ranges = (shards: readonly OpenShard[]) => shards.map((shard) => shard.hashRange);
const ratio = (shards: readonly OpenShard[]) => {
  const widths = ranges(shards).map((range) => Number(width(range)));
  return Math.max(...widths) / Math.min(...widths);
};

/** Any partition of the key space, from cut points. */
const partitions = fc
  .uniqueArray(fc.bigInt(1n, MAX_HASH_KEY), { minLength: 0, maxLength: 40 })
  .map((cuts) => cuts.toSorted((a, b) => (a < b ? -1 : 1)))
  .map((cuts) =>
    [0n, ...cuts].map((start, i) => ({
      shardId: `s${i}`,
      hashRange: { start, end: i < cuts.length ? cuts[i]! - 1n : MAX_HASH_KEY },
      splitFrom: undefined,
    })),
  );

describe("planReshard", () => {
  test("20 to 30 is ten splits, every other shard, in halves", () => {
    const steps = planReshard(evenShards(20), 30);
    expect(steps.map((step) => step.kind)).toEqual(Array(10).fill("split"));
    const places = steps.map((step) => step.kind === "split" && Number(step.shard.shardId?.slice(1)));
    expect(places.toSorted((a, b) => Number(a) - Number(b))).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
    for (const step of steps) {
      expect(step.kind === "split" && step.newStartingHashKey).toBe(
        step.kind === "split" && midpoint(step.shard.hashRange),
      );
      expect(step.reason).toMatch(/^widest: 5\.00 % of the key space$/);
    }
  });

  test("30 back to 20 merges exactly the siblings of the splits", () => {
    const thirty = apply(evenShards(20), planReshard(evenShards(20), 30));
    const back = planReshard(thirty, 20);
    expect(back).toHaveLength(10);
    for (const step of back) {
      expect(step.kind === "merge" && step.lower.splitFrom).toBe(
        step.kind === "merge" && step.upper.splitFrom,
      );
    }
    expect(ranges(apply(thirty, back))).toEqual(ranges(evenShards(20)));
  });

  test("the same count plans nothing, however uneven the shards are", () => {
    fc.assert(fc.property(partitions, (shards) => planReshard(shards, shards.length).length === 0));
  });

  test("from any partition to any count: exact count, whole key space, one kind of step, one step a shard", () => {
    fc.assert(
      fc.property(partitions, fc.integer({ min: 1, max: 60 }), (shards, target) => {
        const steps = planReshard(shards, target);
        const after = apply(shards, steps);
        expect(after).toHaveLength(target);
        expect(holes(ranges(after))).toEqual([]);
        expect(after.reduce((sum, shard) => sum + width(shard.hashRange), 0n)).toBe(width(FULL_RANGE));
        expect(steps).toHaveLength(Math.abs(target - shards.length));
        expect(new Set(steps.map((step) => step.kind)).size).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("from an even stream: up stays within 2 to 1, and nothing but halves; down within 3 to 1", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 128 }), (from, target) => {
        const after = apply(evenShards(from), planReshard(evenShards(from), target));
        expect(ratio(after)).toBeLessThanOrEqual(target >= from ? 2.001 : 3.001);
      }),
    );
  });

  test("up never leaves a shard wider than it must be: no shard is over twice the widest one that was split", () => {
    fc.assert(
      fc.property(partitions, fc.integer({ min: 1, max: 30 }), (shards, more) => {
        const steps = planReshard(shards, shards.length + more);
        const after = apply(shards, steps);
        const last = steps.at(-1)!;
        const widest = after
          .map(({ hashRange }) => width(hashRange))
          .toSorted((a, b) => (a > b ? -1 : 1))[0]!;
        // Widths within a thousandth count as equal.
        if (last.kind === "split")
          expect(widest * 999n).toBeLessThanOrEqual(width(last.shard.hashRange) * 1_000n);
      }),
    );
  });

  test("a plan made anew after any step goes on as the first one: resumable, deterministic, whatever the listing's order", () => {
    fc.assert(
      fc.property(partitions, fc.integer({ min: 1, max: 40 }), fc.nat(), (shards, target, cut) => {
        const steps = planReshard(shards, target);
        const done = steps.length === 0 ? 0 : cut % steps.length;
        const resumed = planReshard(apply(shards, steps.slice(0, done)).toReversed(), target);
        const place = (step: ReshardStep) =>
          step.kind === "split" ? step.shard.hashRange : step.lower.hashRange;
        expect(resumed.map(place)).toEqual(steps.slice(done).map(place));
        const next = nextStep(shards, target);
        expect(next && place(next)).toEqual(steps[0] && place(steps[0]));
      }),
    );
  });

  test("an incomplete listing is refused rather than planned from", () => {
    expect(() => planReshard(evenShards(4).slice(1), 8)).toThrow(IncompleteListing);
    expect(() => planReshard([...evenShards(4), ...evenShards(1)], 8)).toThrow(
      /cover the key space exactly once/,
    );
    expect(() => planReshard([], 1)).toThrow(IncompleteListing);
  });
});

describe("in one call", () => {
  test.each([
    [20, 40, 40],
    [10, 40, 20], // ten to forty is twice a doubling
    [10, 25, 20], // as far as even shards can reach; the rest are splits
    [1_000, 2_000, 2_000],
    [20, 30, undefined], // ten shards split, ten not: never even
    [20, 39, undefined],
    [1, 2, undefined], // a split is one call as well
    [40, 20, 20],
    [40, 7, 20],
    [4, 2, 2],
    [20, 11, undefined],
    [15, 7, undefined], // an odd count has no half
    [2, 1, undefined],
    [8, 8, undefined],
  ])("%i even shards to %i: %s", (from, target, expected) => {
    expect(inOneCall(evenShards(from), target)).toBe(expected);
  });

  test("never on an uneven stream", () => {
    const uneven = apply(evenShards(20), planReshard(evenShards(20), 30));
    expect(inOneCall(uneven, 60)).toBeUndefined();
    expect(inOneCall(uneven, 10)).toBeUndefined();
    // Filled up, the stream is even again.
    expect(inOneCall(apply(uneven, planReshard(uneven, 40)), 80)).toBe(80);
  });

  test("never where the plan would merge other neighbours: siblings that lie across the even cut", () => {
    const size = width(FULL_RANGE) / 4n;
    const shards = evenShards(4).map((shard, i) => ({
      ...shard,
      splitFrom: i === 1 || i === 2 ? "middle" : undefined,
    }));
    expect(planReshard(shards, 3)[0]).toMatchObject({ lower: { hashRange: { start: size } } });
    expect(inOneCall(shards, 2)).toBeUndefined();
  });

  test("gives the layout of the plan, key for key but for rounding, whatever the even count", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 64 }), fc.boolean(), (count, doubles) => {
        const shards = evenShards(count);
        const target = inOneCall(shards, doubles ? 2 * count : Math.floor(count / 2));
        if (target === undefined) return;
        const planned = apply(shards, planReshard(shards, target)).map(({ hashRange }) => hashRange.start);
        evenShards(target).forEach(({ hashRange }, i) => {
          const off = planned[i]! - hashRange.start;
          expect(off < 0n ? -off : off).toBeLessThanOrEqual(BigInt(2 * count)); // of 2^128
        });
      }),
    );
  });
});
