/**
 * How many records a handler that blocks the event loop is given, by its earlier calls. Failover time 10 s:
 * target 2.5 s.
 */
import { describe, expect, it } from "vitest";
import { BatchFit } from "../../../src/core/batch-fit.ts";

const FAILOVER_MILLIS = 10_000;

/** The sizes of the calls that process `records`, and the longest block. */
function through(records: number, blockedMillis: (count: number) => number, isCautious = false) {
  const fit = new BatchFit(FAILOVER_MILLIS, isCautious);
  const sizes: number[] = [];
  for (let left = records; left > 0 && sizes.length < 5_000; ) {
    const count = Math.min(left, fit.limit);
    sizes.push(count);
    fit.called(count, blockedMillis(count));
    left -= count;
  }
  return { sizes, fit };
}

describe("batches fitted to what they block", () => {
  it("never limits a handler that blocks nothing", () => {
    expect(through(50_000, () => 0).sizes).toEqual([50_000]);
    expect(through(50_000, () => 2_400).sizes).toEqual([50_000]);
  });

  it("gives as many records as block for a quarter of the failover time", () => {
    const { sizes } = through(1_000, (count) => 100 * count);
    expect(sizes.slice(0, 3)).toEqual([1_000]);
    const fit = new BatchFit(FAILOVER_MILLIS, false);
    fit.called(1_000, 100_000);
    expect(fit.limit).toBe(25);
    for (let call = 0; call < 50; call += 1) {
      const { limit } = fit;
      fit.called(limit, 100 * limit);
      // One less for a rounding error.
      expect([24, 25]).toContain(fit.limit);
    }
  });

  it("gives one record where one blocks for longer, and tries two only once", () => {
    const fit = new BatchFit(FAILOVER_MILLIS, false);
    const limits = [];
    for (let count = 100, call = 0; call < 30; call += 1) {
      fit.called(count, 12_000 * count);
      count = fit.limit;
      limits.push(count);
    }
    expect(limits.filter((limit) => limit > 1)).toHaveLength(1);
    expect(Math.max(...limits)).toBe(2);
  });

  it("does not cut batches whose block does not come from their records", () => {
    const { sizes } = through(41 * 20, () => 12_000, true);
    expect(sizes).toEqual([1, 2, 20, 200, 597]);
  });

  it("grows again when the handler blocks no longer", () => {
    const fit = new BatchFit(FAILOVER_MILLIS, false);
    fit.called(100, 20_000);
    expect(fit.limit).toBe(12);
    let calls = 0;
    while (fit.limit !== Number.POSITIVE_INFINITY) {
      fit.called(fit.limit, 0);
      calls += 1;
    }
    expect(calls).toBeLessThan(30);
  });

  it("is not raised or cut by reads that bring few records", () => {
    const fit = new BatchFit(FAILOVER_MILLIS, false);
    fit.called(1_000, 100_000);
    for (let call = 0; call < 50; call += 1) fit.called(1, 100);
    expect([24, 25]).toContain(fit.limit);
  });

  it("begins with one record where the last owner was gone, and is soon without a limit", () => {
    expect(through(20_000, () => 0, true).sizes).toEqual([1, 10, 100, 1_000, 10_000, 8_889]);
    expect(through(2_000, () => 0, true).sizes).toEqual([1, 10, 100, 1_000, 889]);
  });

  it("never blocks more than twice the estimate on the way up", () => {
    const { sizes } = through(2_000, (count) => 40 * count, true);
    for (const size of sizes) expect(40 * size).toBeLessThanOrEqual(2_500);
    expect(sizes.length).toBeLessThan(45);
  });
});
