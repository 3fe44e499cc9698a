/** Calls to the table that never settle, and a table that answers no call while a worker stops. */
import { describe, expect, it } from "vitest";
import type { LeaseStore } from "../../../src/ports/lease-store.ts";
import { FaultyFleet, storeThrough } from "./faulty-fleet.ts";

const never = () => new Promise<never>(() => undefined);

describe("one call that never settles", () => {
  const calls: (keyof LeaseStore)[] = [
    "sendHeartbeat",
    "readFleet",
    "list",
    "claim",
    "create",
    "checkpoint",
    "handOver",
    "release",
    "complete",
    "remove",
    "leave",
  ];
  it.each(calls)(
    "%s: the worker keeps its place, and after a split and a scale-out all is read on",
    async (hung) => {
      let hangs = 0;
      const fleet = new FaultyFleet({
        swarm: { shards: 6 },
        ports: (ports, workerId) => ({
          ...ports,
          store: storeThrough(ports.store, (name, act) => {
            if (name !== hung || workerId !== "w1" || hangs !== 1) return act();
            hangs = 2;
            return never();
          }),
        }),
      });
      await fleet.start(2);
      await fleet.run(15_000);
      fleet.put();
      await fleet.run(5_000);
      hangs = 1;
      for (const { shard } of fleet.cluster.stream.openShards().slice(0, 2))
        fleet.cluster.stream.split(shard.shardId);
      await fleet.run(30_000);
      fleet.cluster.startWorker();
      await fleet.run(120_000);
      // A release or a leave is called only when the worker itself stops.
      fleet.cluster.stopWorker(fleet.worker("w1"));
      await fleet.run(30_000);
      expect(hangs).toBe(hung === "release" ? 1 : 2);
      expect(fleet.worker("w1").state).toBe("stopped");
      await fleet.settle(20_000);
      expect(new Set(fleet.owners().filter((owner) => owner !== undefined))).toEqual(new Set(["w2", "w3"]));
      const { markedDead, joins, lost } = fleet.outcome(20_000);
      expect({ markedDead, joins, lost }).toEqual({ markedDead: 0, joins: 1, lost: 0 });
    },
  );
});

describe("a stop while the table answers nobody", () => {
  it.each([25_000, 5_000])(
    "with a budget of %d ms ends within it, at the default failover time",
    async (budget) => {
      let isMute = false;
      const fleet = new FaultyFleet({
        swarm: { shards: 6 },
        ports: (ports) => ({
          ...ports,
          store: storeThrough(ports.store, (_, act) => (isMute ? never() : act())),
        }),
      });
      await fleet.start(2);
      await fleet.run(15_000);
      fleet.put();
      await fleet.run(5_000);
      isMute = true;
      await fleet.run(2_000);
      let left: readonly string[] | undefined;
      const since = fleet.now;
      let ended = Number.POSITIVE_INFINITY;
      void fleet
        .engine("w1")
        .stop(budget)
        .then((leases) => {
          left = leases;
          ended = fleet.now;
        });
      await fleet.run(60_000);
      expect(left).toHaveLength(3);
      expect(ended - since).toBeLessThanOrEqual(budget + 100);
      expect(fleet.engine("w1").status().state).toBe("stopped");
    },
  );
});
