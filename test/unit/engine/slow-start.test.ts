/** What a version costs that dies seconds after joining, and what it must not cost. Failover time 4 s. */
import { describe, expect, it } from "vitest";
import { measureCrashLoop, measureJoiner } from "../../simulation/crash-loop.ts";
import { NO_TRIALS } from "../../simulation/fault-mutations.ts";
import { FaultyFleet } from "./faulty-fleet.ts";

const FAILOVER_MILLIS = 4_000;
const swarm = { shards: 20, failoverTimeMillis: FAILOVER_MILLIS };

describe("a crash loop", () => {
  it.each([
    // Without trials: 2.0 moves and 110 records twice.
    { sameId: true, mostTwice: 40 },
    // Without trials: 10 moves and 100 records twice.
    { sameId: false, mostTwice: 40 },
  ])("costs few moves and records (same id: $sameId)", async ({ sameId, mostTwice }) => {
    const loop = { crashes: 5, livesMillis: 5_000, pauseMillis: 6_000, sameId };
    const { movesPerCrash, twicePerCrash, joiner } = await measureCrashLoop(loop);
    // One lease to each, and one back. The first worker took a whole share.
    expect(movesPerCrash).toBeLessThanOrEqual(4);
    expect(twicePerCrash).toBeLessThanOrEqual(mostTwice);
    expect(joiner.moves).toBe(5);
    expect(joiner.evenAfterMillis).toBeLessThan(8 * FAILOVER_MILLIS + 3_000);
  });

  it.each([true, false])(
    "costs more than twice as many records without trials (same id: %s)",
    async (sameId) => {
      const loop = { crashes: 5, livesMillis: 5_000, pauseMillis: 6_000, sameId };
      expect((await measureCrashLoop(loop, NO_TRIALS)).twicePerCrash).toBeGreaterThan(80);
    },
  );
});

describe("a healthy joiner", () => {
  it("pays nothing when no worker has died, and two failover times after one early death", async () => {
    const usual = await measureJoiner();
    expect(usual.moves).toBe(5);
    expect(usual.evenAfterMillis).toBeLessThan(1_000);
    const loop = { crashes: 1, livesMillis: 2_000, pauseMillis: 6_000, sameId: false };
    const { joiner } = await measureCrashLoop(loop);
    expect(joiner.moves).toBe(5);
    expect(joiner.evenAfterMillis).toBeLessThan(2 * FAILOVER_MILLIS + 1_500);
  });

  it("is not on trial after a worker that had lived for longer", async () => {
    const loop = { crashes: 1, livesMillis: 2 * FAILOVER_MILLIS + 1_000, pauseMillis: 6_000, sameId: true };
    expect((await measureCrashLoop(loop)).joiner.evenAfterMillis).toBeLessThan(1_000);
  });
});

it("a whole fleet that dies young and starts again under its ids is as it was", async () => {
  const fleet = new FaultyFleet({ swarm });
  await fleet.start(3);
  await fleet.run(1_000);
  for (const id of ["w1", "w2", "w3"]) fleet.cluster.crash(fleet.worker(id));
  for (const id of ["w1", "w2", "w3"]) fleet.cluster.startWorker(id);
  await fleet.run(FAILOVER_MILLIS + 5_000);
  const counts = ["w1", "w2", "w3"].map((id) => fleet.owners().filter((owner) => owner === id).length);
  expect(counts.toSorted()).toEqual([6, 7, 7]);
});

it("the leader says once who is on trial", async () => {
  const fleet = new FaultyFleet({ swarm });
  await fleet.start(2);
  await fleet.run(3 * FAILOVER_MILLIS);
  for (let crash = 0; crash < 3; crash++) {
    fleet.cluster.startWorker("zz");
    await fleet.run(3_000);
    fleet.cluster.crash(fleet.worker("zz"));
  }
  const lines = fleet.said.filter(({ message }) => message.includes("died within seconds of joining"));
  expect(lines.map(({ worker, fields }) => ({ worker, fields }))).toEqual([
    { worker: "w1", fields: { member: "zz", earlyDeaths: 1 } },
  ]);
});

it("who dies young is kept in the fleet row for six failover times, and no longer", async () => {
  const fleet = new FaultyFleet({ swarm });
  await fleet.start(3);
  fleet.cluster.crash(fleet.worker("w3"));
  const members = () => fleet.cluster.table.fleetRows().flatMap((fleetRow) => fleetRow.members);
  await fleet.run(5 * FAILOVER_MILLIS);
  expect(members().map(({ state, earlyDeaths }) => ({ state, earlyDeaths }))).toEqual([
    { state: "active", earlyDeaths: undefined },
    { state: "active", earlyDeaths: undefined },
    { state: "dead", earlyDeaths: 0 },
  ]);
  await fleet.run(3.5 * FAILOVER_MILLIS);
  expect(members().map(({ workerId }) => workerId)).toEqual(["w1", "w2"]);
});
