import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyChooser, RateSchedule } from "../../../services/producer/load-shape.ts";
import { seededRandom } from "../../../src/ports/random.ts";

describe("RateSchedule", () => {
  test("whatever the rhythm of asking, what is due adds up to the rate, never ahead of it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 100 }),
        (rate, pauses) => {
          const schedule = new RateSchedule(rate, 5_000);
          let now = 5_000;
          let given = 0;
          for (const pause of pauses) {
            now += pause;
            given += schedule.due(now);
            expect(given).toBe(Math.floor(((now - 5_000) * rate) / 1_000));
          }
        },
      ),
    );
  });

  test("after a long absence a second's worth is made up for, then the rate goes on", () => {
    const schedule = new RateSchedule(200, 0);
    expect(schedule.due(60_000)).toBe(200);
    expect(schedule.due(60_100)).toBe(20);
  });

  test("slower than one a second still comes", () => {
    const schedule = new RateSchedule(1, 0);
    expect([500, 999, 1_000, 1_500, 2_000].map((now) => schedule.due(now))).toEqual([0, 0, 1, 0, 1]);
  });
});

describe("keyChooser", () => {
  const draw = (keys: number, skew: number, times: number) => {
    const choose = keyChooser(keys, skew, seededRandom(7));
    const counts = Array<number>(keys).fill(0);
    for (let i = 0; i < times; i++) counts[choose()]! += 1;
    return counts;
  };

  test("even without skew", () => {
    const counts = draw(10, 0, 20_000);
    for (const count of counts) expect(Math.abs(count - 2_000)).toBeLessThan(200);
  });

  test("with skew 1 the first key gets about twice the second's share, three times the third's", () => {
    const [first, second, third] = draw(50, 1, 50_000) as [number, number, number];
    expect(first / second).toBeCloseTo(2, 0);
    expect(first / third).toBeCloseTo(3, 0);
  });

  test("the ends of the random range are keys", () => {
    expect(keyChooser(3, 0, { next: () => 0 })()).toBe(0);
    expect(keyChooser(3, 0, { next: () => 1 - Number.EPSILON })()).toBe(2);
  });
});
