/** Misleading answers: a listing of the table without its rows, and writes whose answers are lost. */
import { describe, expect, it } from "vitest";
import { StoreUnavailableError } from "../../../src/ports/lease-store.ts";
import { FaultyFleet, storeThrough } from "./faulty-fleet.ts";

const WRITES = new Set([
  "join",
  "sendHeartbeat",
  "leave",
  "claim",
  "checkpoint",
  "handOver",
  "release",
  "complete",
  "create",
]);

async function running(workers: number, setup: ConstructorParameters<typeof FaultyFleet>[0]) {
  const fleet = new FaultyFleet({ ...setup, swarm: { shards: 8, failoverTimeMillis: 4_000 } });
  await fleet.start(workers);
  await fleet.run(15_000);
  fleet.put();
  await fleet.run(5_000);
  return fleet;
}

describe("a scan that finds no row, of a table that was full a moment ago", () => {
  it("is not believed: nothing is lost or doubled, and no lease moves", async () => {
    let isEmpty = false;
    const fleet = await running(3, {
      ports: (ports) => ({
        ...ports,
        store: {
          ...ports.store,
          list: (options) =>
            isEmpty
              ? Promise.resolve({ leases: [], corrupt: [], fleetRows: [], hasApplication: false })
              : ports.store.list(options),
        },
      }),
    });
    const since = fleet.now;
    isEmpty = true;
    fleet.cluster.table.bumpFleetVersion("another worker");
    await fleet.run(12_000);
    isEmpty = false;
    await fleet.run(15_000);
    await fleet.settle();
    expect(fleet.outcome(since)).toEqual({ markedDead: 0, joins: 0, twice: 0, lost: 0 });
    expect(
      fleet.cluster.history.events.filter(
        (e) => e.t > since && e.type === "write" && e.operation !== "checkpoint",
      ),
    ).toEqual([]);
  });
});

describe("answers of writes that are lost during a rolling deploy", () => {
  it.each([0.3, 0.6])(
    "%d of them: every start and stop succeeds, nothing is lost or comes twice",
    async (share) => {
      let loses = false;
      const fleet = await running(4, {
        ports: (ports) => ({
          ...ports,
          store: storeThrough(ports.store, async (name, act) => {
            const answer = await act();
            if (loses && WRITES.has(name) && ports.random.next() < share)
              throw new StoreUnavailableError("lost answer");
            return answer;
          }),
        }),
      });
      const since = fleet.now;
      loses = true;
      for (const old of ["w1", "w2", "w3", "w4"]) {
        fleet.cluster.startWorker();
        await fleet.run(8_000);
        fleet.cluster.stopWorker(fleet.worker(old));
        await fleet.run(12_000);
      }
      loses = false;
      await fleet.run(10_000);
      await fleet.settle();
      const failed = fleet.cluster.history.events.filter(
        (event) => event.type === "worker" && event.action === "failed",
      );
      expect(failed).toEqual([]);
      expect(["w1", "w2", "w3", "w4"].map((id) => fleet.worker(id).state)).toEqual([
        "stopped",
        "stopped",
        "stopped",
        "stopped",
      ]);
      const { markedDead, twice, lost } = fleet.outcome(since);
      expect({ markedDead, twice, lost }).toEqual({ markedDead: 0, twice: 0, lost: 0 });
    },
  );
});
