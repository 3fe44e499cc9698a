/**
 * Two processes with one worker id: the second gets an error that names the id and does not start, and the
 * first does not notice.
 */
import { expect, it } from "vitest";
import { FaultyFleet } from "./faulty-fleet.ts";

it.each([0, 200, 700, 5_000])(
  "a second process %d ms after the first is refused; no record comes twice",
  async (apart) => {
    const fleet = new FaultyFleet({ swarm: { shards: 6 } });
    fleet.put();
    const first = fleet.cluster.startWorker();
    await fleet.run(apart);
    fleet.cluster.startDuplicate(first);
    await fleet.run(30_000);
    const ends = fleet.cluster.history.events.flatMap((event) =>
      event.type === "worker" && (event.action === "joined" || event.action === "failed") ? [event] : [],
    );
    // A refused process is started again by its platform, and refused again. At the same moment either may be
    // first.
    expect(ends.filter(({ action }) => action === "joined")).toHaveLength(1);
    const refused = ends.filter(({ action }) => action === "failed");
    expect(refused.length).toBeGreaterThan(0);
    for (const { detail } of refused)
      expect(detail).toContain('another living worker of this fleet has the worker id "w1"');
    if (apart > 0) expect(refused.map(({ worker }) => worker)).toEqual(["w1~2"]);
    await fleet.run(60_000);
    await fleet.settle();
    expect(new Set(fleet.owners())).toEqual(new Set(["w1"]));
    expect(fleet.outcome()).toMatchObject({ markedDead: 0, twice: 0, lost: 0 });
  },
);

it("the successor of one that was killed waits until it is surely dead, and starts", async () => {
  const fleet = new FaultyFleet({ swarm: { shards: 6 } });
  await fleet.start(1);
  await fleet.run(15_000);
  fleet.cluster.crash(fleet.worker("w1"));
  await fleet.run(1_000);
  fleet.cluster.startWorker("w1");
  await fleet.run(20_000);
  expect(fleet.worker("w1").state).toBe("joined");
  expect(fleet.owners()).toEqual(Array.from({ length: 6 }, () => "w1"));
});
