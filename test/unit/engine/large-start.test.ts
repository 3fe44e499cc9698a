/**
 * The first start on a stream of a thousand shards, at 20 ms a call: bounded, without a failed write, with
 * heartbeats on time.
 */
import { expect, it } from "vitest";
import { FaultyFleet, storeThrough } from "./faulty-fleet.ts";

it("makes 1,000 rows within ten seconds, a few at a time, and no heartbeat waits for them", {
  timeout: 60_000,
}, async () => {
  const underWay = { now: 0, most: 0, failed: 0 };
  const heartbeats: number[] = [];
  const fleet = new FaultyFleet({
    swarm: { shards: 1_000, latencyMillis: { low: 20, high: 20 } },
    ports: (ports) => ({
      ...ports,
      store: storeThrough(ports.store, async (name, act) => {
        if (name === "sendHeartbeat") heartbeats.push(ports.clock.monotonicMillis());
        if (name !== "create") return act();
        underWay.now += 1;
        underWay.most = Math.max(underWay.most, underWay.now);
        try {
          return await act();
        } catch (error) {
          underWay.failed += 1;
          throw error;
        } finally {
          underWay.now -= 1;
        }
      }),
    }),
  });
  fleet.cluster.startWorker();
  await fleet.run(10_000);
  expect(fleet.cluster.table.leases()).toHaveLength(1_000);
  expect(underWay.failed).toBe(0);
  expect(underWay.most).toBeLessThanOrEqual(32);
  await fleet.run(20_000);
  const gaps = heartbeats.slice(1).map((at, index) => at - heartbeats[index]!);
  // A third of the failover time, and one call.
  expect(Math.max(...gaps)).toBeLessThan(3_334 + 250);
  expect(fleet.outcome()).toMatchObject({ markedDead: 0, joins: 1 });
});
