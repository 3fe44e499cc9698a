/** Writes that took effect and whose answers were lost: the other workers must be notified all the same. */
import { describe, expect, it } from "vitest";
import { type LeaseStore, StoreUnavailableError } from "../../../src/ports/lease-store.ts";
import { Cluster, type EnginePorts } from "../../simulation/cluster.ts";
import { startEngine } from "../../simulation/engine.ts";
import { faultFreeSwarm } from "../../simulation/fault-free.ts";

describe("a lost answer", () => {
  it("to a claim: the leader learns who owns the lease now, and buries who owned it before", async () => {
    let markLost = false;
    const losing = ({ store, clock }: EnginePorts): LeaseStore => ({
      ...store,
      claim: async (seen, owner) => {
        if (!markLost) return store.claim(seen, owner);
        markLost = false;
        // By then the leader has scanned the table.
        await clock.sleep(2_000);
        await store.claim(seen, owner);
        throw new StoreUnavailableError("the answer was lost");
      },
    });
    const cluster = new Cluster(faultFreeSwarm({ shards: 4, failoverTimeMillis: 3_000 }), (ports, options) =>
      startEngine(options.workerId === "b" ? { ...ports, store: losing(ports) } : ports, options),
    );
    const { scheduler, table } = cluster;
    const members = () => table.fleetRows().flatMap((fleetRow) => fleetRow.members.map((m) => m.workerId));
    const owners = () => table.leases().map((lease) => lease.owner);
    for (const id of ["a", "b", "c"]) cluster.startWorker(id);
    await scheduler.run(20_000);
    expect(owners().filter((owner) => owner === "c").length).toBe(1);
    markLost = true;
    cluster.crash(cluster.workers.find(({ id }) => id === "c")!);
    await scheduler.run(60_000);
    expect(markLost).toBe(false);
    expect(owners().toSorted()).toEqual(["a", "a", "b", "b"]);
    expect(members().toSorted()).toEqual(["a", "b"]);
  });
});
