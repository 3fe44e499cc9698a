import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { beatSlackMillis, idlePauseMillis, paceOf } from "../../../services/consumer/core/pace.ts";

const pace = (workers: number, leases = 30, failover = 10_000) => paceOf({ workers, leases }, failover);

describe("how often a worker looks", () => {
  it("beats three times in a failover time, so that two beats may fail", () => {
    expect(pace(5).beatMillis).toBeCloseTo(3_333, -1);
    expect(pace(5, 30, 4_000).beatMillis).toBeCloseTo(1_333, -1);
  });

  it("looks more often while something changes than while nothing does, in any fleet", () => {
    for (const workers of [1, 5, 50, 500, 1_000, 5_000])
      expect(pace(workers).busyMillis).toBeLessThan(pace(workers).idleMillis);
  });

  it("looks less often in a large fleet, so that the row they all look at is read at most a hundred times a second", () => {
    for (const workers of [100, 500, 1_000, 5_000])
      expect((workers * 1_000) / pace(workers).idleMillis).toBeLessThanOrEqual(100);
  });

  it("scans at once in a small fleet; a large one spreads 10,000 rows a second, over half a minute at most", () => {
    expect(pace(5).scanSpreadMillis).toBe(0);
    expect(pace(100, 1_000).scanSpreadMillis).toBe(10_000);
    expect(pace(1_000, 10_000).scanSpreadMillis).toBe(30_000);
  });
});

describe("the grid of idle looks", () => {
  /** Wall-clock times of the looks of one worker, from `wallMillis` on, and which of them were heartbeats. */
  const looks = (
    workers: number,
    failover: number,
    { wallMillis, phase, count }: { wallMillis: number; phase: number; count: number },
  ) => {
    const settings = pace(workers, 30, failover);
    const times: { at: number; beat: boolean }[] = [];
    let beatAt = wallMillis;
    for (let at = wallMillis; times.length < count; ) {
      const untilBeatMillis = settings.beatMillis - (at - beatAt);
      at += idlePauseMillis(settings, { wallMillis: at, untilBeatMillis }, phase);
      const beat = at - beatAt >= settings.beatMillis - beatSlackMillis(settings, false);
      if (beat) beatAt = at;
      times.push({ at, beat });
    }
    return times;
  };
  const start = fc.record({
    wallMillis: fc.integer({ min: 0, max: 2_000_000_000 }),
    phase: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  });

  it("brings workers that begin at any moment to look within the fleet's spread of each other", () => {
    fc.assert(
      fc.property(start, start, fc.constantFrom(4_000, 10_000), (a, b, failover) => {
        const { lookMillis, lookSpreadMillis } = pace(5, 30, failover);
        const [one, other] = [a, b].map((from) => looks(5, failover, { ...from, count: 12 }).at(-1)!.at);
        const apart = Math.abs(one! - other!) % lookMillis;
        expect(Math.min(apart, lookMillis - apart)).toBeLessThanOrEqual(lookSpreadMillis + 1e-3);
      }),
    );
  });

  it("keeps to the heartbeats: one in a third of the failover time, and never later than half a look", () => {
    fc.assert(
      fc.property(
        start,
        fc.constantFrom(1, 5, 40, 200, 2_000),
        fc.constantFrom(4_000, 10_000),
        (from, workers, failover) => {
          const { beatMillis, lookMillis } = pace(workers, 30, failover);
          const beats = looks(workers, failover, { ...from, count: 60 }).filter(({ beat }) => beat);
          const between = beats.slice(1).map(({ at }, i) => at - beats[i]!.at);
          expect(Math.max(...between)).toBeLessThanOrEqual(beatMillis + lookMillis / 2 + 1e-3);
          // Once on the grid, exactly, and with no look beside those of the grid.
          for (const millis of between.slice(2)) expect(millis).toBeCloseTo(beatMillis, 3);
          const looksMade = looks(workers, failover, { ...from, count: 60 }).map(({ at }) => at);
          const gaps = looksMade.slice(8).map((at, i) => at - looksMade[i + 7]!);
          for (const millis of gaps) expect(millis).toBeCloseTo(lookMillis, 3);
        },
      ),
    );
  });

  it("spreads a large fleet over the whole interval", () => {
    const { lookMillis, lookSpreadMillis } = pace(1_000);
    expect(lookSpreadMillis).toBe(lookMillis);
    expect(pace(5).lookSpreadMillis).toBeLessThan(pace(5).lookMillis / 10);
  });
});
