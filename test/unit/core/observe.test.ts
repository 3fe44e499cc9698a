import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isExpired, isObservedInFull, type Observations, observe } from "../../../src/core/observe.ts";

const FAILOVER = 10_000;
const GAP = 5_000;

/** Observations of one key: when (on the observer's clock) and with which token. */
function sight(...observations: readonly (readonly [number, string])[]) {
  let seen: Observations = new Map();
  for (const [atMillis, token] of observations) seen = observe(seen, [["a", token]], atMillis, () => GAP);
  return seen.get("a")!;
}

describe("whether a worker is expired", () => {
  it("only when it is seen unmoved over more than the failover time", () => {
    expect(isExpired(sight([0, "1"], [5_000, "1"], [10_000, "1"]), FAILOVER)).toBe(false);
    expect(isExpired(sight([0, "1"], [5_000, "1"], [10_000, "1"], [10_001, "1"]), FAILOVER)).toBe(true);
  });

  it("never at first sight: the first sighting counts as a move", () => {
    expect(isExpired(sight([500_000, "1"]), FAILOVER)).toBe(false);
  });

  it("not by the passing of time alone: what is not read is not observed", () => {
    expect(isExpired(sight([0, "1"], [5_000, "1"], [3_600_000, "1"]), FAILOVER)).toBe(false);
    expect(isExpired(sight([0, "1"], [5_000, "1"], [3_600_000, "1"], [3_600_001, "1"]), FAILOVER)).toBe(true);
  });

  it("not after it moved, even at the last moment", () => {
    const moved: (readonly [number, string])[] = [
      [0, "1"],
      [5_000, "1"],
      [10_000, "2"],
      [15_000, "2"],
      [20_000, "2"],
    ];
    expect(isExpired(sight(...moved), FAILOVER)).toBe(false);
    expect(isExpired(sight(...moved, [20_001, "2"]), FAILOVER)).toBe(true);
  });

  it("not when it went away and came back: it is observed from the start", () => {
    let seen = observe(new Map(), [["a", "1"]], 0, () => GAP);
    seen = observe(seen, [], 5_000, () => GAP);
    expect(seen.size).toBe(0);
    seen = observe(seen, [["a", "1"]], 20_000, () => GAP);
    expect(isExpired(seen.get("a")!, FAILOVER)).toBe(false);
  });

  it("agrees with the definition, for any sightings", () => {
    const observations = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 9_000 }), fc.integer({ min: 0, max: 1 })),
      {
        minLength: 1,
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(observations, (steps) => {
        let now = 0;
        const seen = steps.map(([pause, token]) => {
          now += pause;
          return [now, String(token)] as const;
        });
        const observedFrom = (first: number) =>
          seen.reduce(
            (sum, [at], index) => (index > first ? sum + Math.min(GAP, at - seen[index - 1]![0]) : sum),
            0,
          );
        // The first observation of the run of equal tokens that the last one belongs to.
        const changed = seen.findLastIndex(([, token]) => token !== seen.at(-1)![1]);
        expect(isExpired(sight(...seen), FAILOVER)).toBe(observedFrom(changed + 1) > FAILOVER);
        expect(isObservedInFull(sight(...seen), FAILOVER)).toBe(observedFrom(0) > FAILOVER);
      }),
    );
  });
});

describe("whether a worker was observed in full", () => {
  it("goes by the first sighting, whether or not it moved", () => {
    expect(isObservedInFull(sight([0, "1"], [5_000, "2"], [10_000, "3"], [10_001, "3"]), FAILOVER)).toBe(
      true,
    );
    expect(isObservedInFull(sight([0, "1"], [5_000, "2"], [10_000, "3"]), FAILOVER)).toBe(false);
  });
});
