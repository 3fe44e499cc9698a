import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { heartbeatSlackMillis, idlePauseMillis, pollIntervalsOf } from "../../../src/core/poll-intervals.ts";

const intervals = (workers: number, leases = 30, failover = 10_000) =>
  pollIntervalsOf({ workers, leases }, failover);

describe("how often a worker looks", () => {
  it("beats three times in a failover time, so that two beats may fail", () => {
    expect(intervals(5).heartbeatMillis).toBeCloseTo(3_333, -1);
    expect(intervals(5, 30, 4_000).heartbeatMillis).toBeCloseTo(1_333, -1);
  });

  it("looks more often while something changes than while nothing does, in any fleet", () => {
    for (const workers of [1, 5, 50, 500, 1_000, 5_000])
      expect(intervals(workers).busyMillis).toBeLessThan(intervals(workers).idleMillis);
  });

  it("looks less often in a large fleet, so that the row they all look at is read at most a hundred times a second", () => {
    for (const workers of [100, 500, 1_000, 5_000])
      expect((workers * 1_000) / intervals(workers).idleMillis).toBeLessThanOrEqual(100);
  });

  it("scans at once in a small fleet; a large one spreads 9,000 rows a second, over half a minute at most", () => {
    expect(intervals(5).scanSpreadMillis).toBe(0);
    expect(intervals(90, 1_000).scanSpreadMillis).toBe(10_000);
    expect(intervals(1_000, 10_000).scanSpreadMillis).toBe(30_000);
  });
});

describe("the grid of idle looks", () => {
  /** Wall-clock times of one worker's polls, from `wallMillis` on, and which of them were heartbeats. */
  const polls = (
    workers: number,
    failover: number,
    { wallMillis, phase, count }: { wallMillis: number; phase: number; count: number },
  ) => {
    const settings = intervals(workers, 30, failover);
    const times: { at: number; sendHeartbeat: boolean }[] = [];
    let heartbeatAtMillis = wallMillis;
    for (let at = wallMillis; times.length < count; ) {
      const untilHeartbeatMillis = settings.heartbeatMillis - (at - heartbeatAtMillis);
      at += idlePauseMillis(settings, { wallMillis: at, untilHeartbeatMillis }, phase);
      const sendHeartbeat =
        at - heartbeatAtMillis >= settings.heartbeatMillis - heartbeatSlackMillis(settings, false);
      if (sendHeartbeat) heartbeatAtMillis = at;
      times.push({ at, sendHeartbeat });
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
        const { pollMillis, pollSpreadMillis } = intervals(5, 30, failover);
        const [one, other] = [a, b].map((from) => polls(5, failover, { ...from, count: 12 }).at(-1)!.at);
        const apart = Math.abs(one! - other!) % pollMillis;
        expect(Math.min(apart, pollMillis - apart)).toBeLessThanOrEqual(pollSpreadMillis + 1e-3);
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
          const { heartbeatMillis, pollMillis } = intervals(workers, 30, failover);
          const heartbeats = polls(workers, failover, { ...from, count: 60 }).filter(
            ({ sendHeartbeat }) => sendHeartbeat,
          );
          const between = heartbeats.slice(1).map(({ at }, i) => at - heartbeats[i]!.at);
          expect(Math.max(...between)).toBeLessThanOrEqual(heartbeatMillis + pollMillis / 2 + 1e-3);
          // Exactly, once aligned to the wall clock, and without other polls between.
          for (const millis of between.slice(2)) expect(millis).toBeCloseTo(heartbeatMillis, 3);
          const pollsMade = polls(workers, failover, { ...from, count: 60 }).map(({ at }) => at);
          const gaps = pollsMade.slice(8).map((at, i) => at - pollsMade[i + 7]!);
          for (const millis of gaps) expect(millis).toBeCloseTo(pollMillis, 3);
        },
      ),
    );
  });

  it("spreads a large fleet over the whole interval", () => {
    const { pollMillis, pollSpreadMillis } = intervals(1_000);
    expect(pollSpreadMillis).toBe(pollMillis);
    expect(intervals(5).pollSpreadMillis).toBeLessThan(intervals(5).pollMillis / 10);
  });
});
