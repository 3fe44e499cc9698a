import { describe, expect, it } from "vitest";
import { paceOf } from "../../../services/consumer/core/pace.ts";

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

  it("scans at once in a small fleet; a large one spreads 20,000 rows a second, over half a minute at most", () => {
    expect(pace(5).scanSpreadMillis).toBe(0);
    expect(pace(100, 1_000).scanSpreadMillis).toBe(5_000);
    expect(pace(1_000, 10_000).scanSpreadMillis).toBe(30_000);
  });
});
