/** A fleet whose leader assigns the leases, like a very large one (`core/assignments.ts`). */
import { describe, expect, it } from "vitest";
import { FaultyFleet } from "./faulty-fleet.ts";

const SHARDS = 24;
const FAILOVER_MILLIS = 4_000;

async function assignedFleet(workers: number): Promise<FaultyFleet> {
  const fleet = new FaultyFleet({
    swarm: { shards: SHARDS, failoverTimeMillis: FAILOVER_MILLIS, assignsFrom: 0 },
  });
  fleet.put();
  await fleet.start(workers);
  await fleet.run(20_000);
  return fleet;
}

const counts = (fleet: FaultyFleet): number[] => {
  const owned = new Map(fleet.cluster.up().map(({ id }) => [id, 0]));
  for (const owner of fleet.owners()) owned.set(owner ?? "", (owned.get(owner ?? "") ?? 0) + 1);
  return [...owned.values()].toSorted((a, b) => a - b);
};

/** How often each worker has scanned the table. */
function scans(fleet: FaultyFleet, since: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const event of fleet.cluster.history.events)
    if (event.type === "scan" && event.t >= since)
      counts.set(event.worker, (counts.get(event.worker) ?? 0) + 1);
  return counts;
}

describe("a leader that assigns", () => {
  it("has joiners and leavers given and relieved of leases without their reading the table", async () => {
    const fleet = await assignedFleet(5);
    const since = fleet.cluster.scheduler.now;
    fleet.cluster.startWorker();
    await fleet.run(5_000);
    expect(counts(fleet)).toEqual([4, 4, 4, 4, 4, 4]);
    fleet.cluster.stopWorker(fleet.worker("w3"));
    await fleet.run(5_000);
    expect(counts(fleet).filter((count) => count > 0)).toEqual([4, 5, 5, 5, 5]);
    const { w1 = 0, w2: _, ...others } = Object.fromEntries(scans(fleet, since));
    expect(w1).toBeGreaterThan(2);
    expect(others.w6).toBeUndefined();
    // Once in half a minute, in case both leaders fail.
    expect(Math.max(0, ...Object.values(others))).toBeLessThanOrEqual(1);
    await fleet.settle();
    expect(fleet.outcome()).toMatchObject({ markedDead: 0, twice: 0, lost: 0 });
  });

  it("is followed by the next when it dies, and its leases are read within a failover time and 5 s", async () => {
    const fleet = await assignedFleet(4);
    fleet.cluster.crash(fleet.worker("w1"));
    await fleet.run(FAILOVER_MILLIS + 5_000);
    expect(fleet.owners()).not.toContain("w1");
    expect(counts(fleet)).toEqual([8, 8, 8]);
  });

  it("sees that a worker which was started again does not read what the rows give it", async () => {
    const fleet = await assignedFleet(4);
    const before = fleet.owners().filter((owner) => owner === "w4").length;
    fleet.cluster.crash(fleet.worker("w4"));
    fleet.cluster.startWorker("w4");
    await fleet.run(4 * FAILOVER_MILLIS);
    expect(before).toBe(6);
    expect(counts(fleet)).toEqual([6, 6, 6, 6]);
    const last = fleet.cluster.scheduler.now - 2_000;
    const read = new Set(
      fleet.cluster.history.events.flatMap((event) =>
        event.type === "read" && event.t >= last ? [event.shardId] : [],
      ),
    );
    expect(read.size).toBe(SHARDS);
  });

  it("begins to assign when the fleet has become large, and stops when it is small", async () => {
    const fleet = new FaultyFleet({
      swarm: { shards: SHARDS, failoverTimeMillis: FAILOVER_MILLIS, assignsFrom: 4 * SHARDS },
    });
    const size = () => fleet.cluster.table.fleetRow(0)?.size;
    await fleet.start(3);
    await fleet.run(10_000);
    expect(size()).toBeUndefined();
    fleet.cluster.startWorker();
    await fleet.run(10_000);
    expect(size()).toEqual({ workers: 4, shards: SHARDS });
    for (const id of ["w2", "w3", "w4"]) fleet.cluster.stopWorker(fleet.worker(id));
    await fleet.run(30_000);
    expect(size()).toEqual({ workers: 1, shards: SHARDS });
    // Not at once: a fleet that starts again as a whole is small for a moment.
    await fleet.run(60_000);
    expect(size()).toBeUndefined();
    expect(new Set(fleet.owners())).toEqual(new Set(["w1"]));
  });
});
