import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AT_TIMESTAMP,
  actualOwner,
  type Checkpoint,
  compareCheckpoints,
  isSentinel,
  LATEST,
  SHARD_END,
  sentinel,
  TRIM_HORIZON,
} from "../../../src/core/lease.ts";
import { at, row } from "./rows.ts";

const checkpoints: fc.Arbitrary<Checkpoint> = fc.oneof(
  fc.constantFrom(TRIM_HORIZON, LATEST, AT_TIMESTAMP, SHARD_END).map(sentinel),
  fc.record({
    sequenceNumber: fc.bigInt({ min: 0n, max: 10n ** 30n }).map(String),
    subSequenceNumber: fc.integer({ min: 0, max: 3 }),
  }),
);

describe("the order of checkpoints", () => {
  it("puts the start sentinels before every number, and SHARD_END after", () => {
    const inOrder = [sentinel(TRIM_HORIZON), at("0"), at("9"), at("10"), sentinel(SHARD_END)];
    for (const [i, a] of inOrder.entries())
      for (const [j, b] of inOrder.entries())
        expect(Math.sign(compareCheckpoints(a, b))).toBe(Math.sign(i - j));
    for (const name of [LATEST, AT_TIMESTAMP])
      expect(compareCheckpoints(sentinel(name), at("0"))).toBeLessThan(0);
  });

  it("is the order of numbers, however many digits they have (a string order puts 9 after 10)", () => {
    const number = fc.bigInt({ min: 0n, max: 2n ** 190n });
    fc.assert(
      fc.property(number, number, (a, b) => {
        expect(Math.sign(compareCheckpoints(at(String(a)), at(String(b))))).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  it("goes by the place in a KPL aggregate where the sequence numbers are the same", () => {
    const third = { sequenceNumber: "7", subSequenceNumber: 3 };
    expect(compareCheckpoints(at("7"), third)).toBeLessThan(0);
    expect(compareCheckpoints(third, at("8"))).toBeLessThan(0);
  });

  it("is a total order", () => {
    fc.assert(
      fc.property(checkpoints, checkpoints, checkpoints, (a, b, c) => {
        expect(compareCheckpoints(a, a)).toBe(0);
        expect(Math.sign(compareCheckpoints(a, b)) + Math.sign(compareCheckpoints(b, a))).toBe(0);
        if (compareCheckpoints(a, b) <= 0 && compareCheckpoints(b, c) <= 0)
          expect(compareCheckpoints(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 500 },
    );
  });

  it("knows a sentinel from a number", () => {
    expect([TRIM_HORIZON, LATEST, AT_TIMESTAMP, SHARD_END].map(sentinel).every(isSentinel)).toBe(true);
    expect(isSentinel(at("49"))).toBe(false);
  });
});

describe("who may write a row", () => {
  it("is still the old owner while a Java leader has it hand over", () => {
    expect(actualOwner(row("s0", { owner: "new", checkpointOwner: "old" }))).toBe("old");
    expect(actualOwner(row("s0", { owner: "new" }))).toBe("new");
    expect(actualOwner(row("s0"))).toBeUndefined();
  });
});
