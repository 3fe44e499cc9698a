/** A table that takes longer to read than a worker may be silent. */
import { describe, expect, it } from "vitest";
import { calmSwarm } from "../../simulation/calm.ts";
import { Cluster } from "../../simulation/cluster.ts";
import { startEngine } from "../../simulation/engine.ts";

describe("a scan that takes longer than the failover time", () => {
  it("silences nobody's heart: no worker is declared dead, and a joiner gets its share", async () => {
    // 2.4 to 3.2 s a scan of eight pages; a heartbeat takes 0.6 to 0.8 s.
    const cluster = new Cluster(
      calmSwarm({
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
      (event) => event.type === "member" && event.operation === "declareDead",
    );
    expect(declared).toEqual([]);
    const owned = ["a", "b", "c", "d"].map((id) => table.leases().filter((l) => l.owner === id).length);
    expect(owned).toEqual([3, 3, 3, 3]);
  });
});
