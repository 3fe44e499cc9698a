/** A table that takes longer to scan than the failover time. */
import { describe, expect, it } from "vitest";
import { StoreUnavailableError } from "../../../src/ports/lease-store.ts";
import { Cluster } from "../../simulation/cluster.ts";
import { startEngine } from "../../simulation/engine.ts";
import { faultFreeSwarm } from "../../simulation/fault-free.ts";
import { FaultyFleet, storeThrough } from "./faulty-fleet.ts";

describe("a scan that takes longer than the failover time", () => {
  it("silences nobody's heart: no worker is declared dead, and a joiner gets its share", async () => {
    // 2.4 to 3.2 s a scan of eight pages; a heartbeat takes 0.6 to 0.8 s.
    const cluster = new Cluster(
      faultFreeSwarm({
        shards: 12,
        failoverTimeMillis: 3_000,
        latencyMillis: { low: 300, high: 400 },
        timeoutMillis: 5_000,
        scanSegments: 8,
      }),
      startEngine,
    );
    const { scheduler, history, table } = cluster;
    for (const id of ["a", "b", "c"]) cluster.startWorker(id);
    await scheduler.run(60_000);
    cluster.startWorker("d");
    await scheduler.run(120_000);
    const declared = history.events.filter(
      (event) => event.type === "member" && event.operation === "markDead",
    );
    expect(declared).toEqual([]);
    const owned = ["a", "b", "c", "d"].map((id) => table.leases().filter((l) => l.owner === id).length);
    expect(owned).toEqual([3, 3, 3, 3]);
  });

  it("goes on with heartbeats when one of them fails meanwhile (seed 975317)", async () => {
    let isSlow = false;
    let readings = 0;
    let isReading = false;
    /** Sent during the first scan; the first of them fails. */
    let heartbeats = 0;
    const fleet = new FaultyFleet({
      swarm: { shards: 4, failoverTimeMillis: 4_000 },
      ports: (ports, id) => ({
        ...ports,
        store: storeThrough(ports.store, async (name, act) => {
          if (!isSlow || id !== "w2") return act();
          if (name === "sendHeartbeat" && isReading && readings === 1 && heartbeats++ === 0)
            throw new StoreUnavailableError("the first heartbeat during the reading fails");
          if (name !== "list") return act();
          readings += 1;
          isReading = true;
          await ports.clock.sleep(3_900);
          isReading = false;
          return act();
        }),
      }),
    });
    await fleet.start(2);
    await fleet.run(15_000);
    const from = fleet.now;
    isSlow = true;
    fleet.cluster.startWorker();
    await fleet.run(20_000);
    expect(heartbeats).toBeGreaterThan(1);
    expect(fleet.outcome(from)).toMatchObject({ markedDead: 0 });
  });
});
