import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSilent, isWatched, type Observations, observe } from "../../../services/consumer/core/observe.ts";

const FAILOVER = 10_000;

/** Sightings of one key: when (my clock) and with which token. */
function watch(...sightings: readonly (readonly [number, string])[]) {
  let seen: Observations = new Map();
  for (const [atMillis, token] of sightings) seen = observe(seen, [["a", token]], atMillis);
  return seen.get("a")!;
}

describe("whether somebody is silent", () => {
  it("only when seen again, unmoved, more than the failover time after it last moved", () => {
    expect(isSilent(watch([0, "1"], [10_000, "1"]), FAILOVER)).toBe(false);
    expect(isSilent(watch([0, "1"], [10_001, "1"]), FAILOVER)).toBe(true);
  });

  it("never at first sight: what I see for the first time counts as having moved just now", () => {
    expect(isSilent(watch([500_000, "1"]), FAILOVER)).toBe(false);
  });

  it("not by the passing of time alone: what I cannot read I cannot call dead", () => {
    const seen = watch([0, "1"], [9_000, "1"]);
    // An hour without a look changes nothing about what was seen.
    expect(isSilent(seen, FAILOVER)).toBe(false);
  });

  it("not after it moved, even at the last moment", () => {
    expect(isSilent(watch([0, "1"], [10_000, "2"], [19_000, "2"]), FAILOVER)).toBe(false);
    expect(isSilent(watch([0, "1"], [10_000, "2"], [20_001, "2"]), FAILOVER)).toBe(true);
  });

  it("not when it went away and came back: it is watched anew", () => {
    let seen = observe(new Map(), [["a", "1"]], 0);
    seen = observe(seen, [], 5_000);
    expect(seen.size).toBe(0);
    seen = observe(seen, [["a", "1"]], 20_000);
    expect(isSilent(seen.get("a")!, FAILOVER)).toBe(false);
  });

  it("agrees with the definition, for any sightings", () => {
    const sightings = fc.array(fc.tuple(fc.integer({ min: 1, max: 6_000 }), fc.integer({ min: 0, max: 1 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(sightings, (steps) => {
        let now = 0;
        const seen = steps.map(([pause, token]) => {
          now += pause;
          return [now, String(token)] as const;
        });
        const [lastMillis, lastToken] = seen.at(-1)!;
        // The first sighting of the run of same tokens that the last one belongs to.
        const changed = seen.findLastIndex(([, token]) => token !== lastToken);
        const movedMillis = seen[changed + 1]![0];
        expect(isSilent(watch(...seen), FAILOVER)).toBe(lastMillis - movedMillis > FAILOVER);
        expect(isWatched(watch(...seen), FAILOVER)).toBe(lastMillis - seen[0]![0] > FAILOVER);
      }),
    );
  });
});

describe("whether something was watched long enough", () => {
  it("goes by the first sighting, whether or not it moved", () => {
    expect(isWatched(watch([0, "1"], [5_000, "2"], [10_001, "3"]), FAILOVER)).toBe(true);
    expect(isWatched(watch([0, "1"], [10_000, "3"]), FAILOVER)).toBe(false);
  });
});
