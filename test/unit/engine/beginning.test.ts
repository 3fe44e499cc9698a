/**
 * LATEST and Date hold for every shard without a leased ancestor, whichever worker starts first and whatever
 * fails meanwhile, on a stream that was resharded before: every open shard names a parent.
 */
import { describe, expect, it } from "vitest";
import { StoreUnavailableError } from "../../../src/ports/lease-store.ts";
import { FaultyFleet, storeThrough } from "./faulty-fleet.ts";

const OLD = 400;

/** Begins an hour after the last old record. */
async function resharded(initialPosition: "LATEST" | { atMillis: number }, failures: number) {
  let left = failures;
  const fleet = new FaultyFleet({
    swarm: { shards: 2, initialPosition },
    ports: (ports) => ({
      ...ports,
      store: storeThrough(ports.store, async (name, act) => {
        if (name !== "create" || left <= 0) return act();
        left -= 1;
        throw new StoreUnavailableError("throttled", { errorClass: "throttled" });
      }),
    }),
  });
  const { stream } = fleet.cluster;
  fleet.cluster.putSome(OLD / 2);
  for (const { shard } of stream.openShards().slice()) stream.split(shard.shardId);
  fleet.cluster.putSome(OLD / 2);
  await fleet.run(3_600_000);
  return fleet;
}

const handled = (fleet: FaultyFleet) => fleet.cluster.history.handled.size;

describe.each([0, 1, 3])("with %d first rows that cannot be written at once", (failures) => {
  it.each([0, 100, 300, 2_000])(
    "LATEST, two workers %d ms apart: all that is new, and nothing old",
    async (apart) => {
      const fleet = await resharded("LATEST", failures);
      fleet.cluster.startWorker();
      await fleet.run(apart);
      fleet.cluster.startWorker();
      await fleet.run(15_000);
      expect(handled(fleet)).toBe(0);
      const before = fleet.now;
      fleet.put();
      await fleet.run(5_000);
      // This includes a shard that is split before it has delivered anything.
      for (const { shard } of fleet.cluster.stream.openShards().slice(0, 2))
        fleet.cluster.stream.split(shard.shardId);
      await fleet.run(5_000);
      await fleet.settle(15_000);
      const put = fleet.cluster.history.events.filter((event) => event.type === "put" && event.t >= before);
      expect(handled(fleet)).toBe(put.length);
    },
  );

  it("a Date: what came from then on, also in the children of what was closed before", async () => {
    const fleet = await resharded({ atMillis: 1_800_000 }, failures);
    await fleet.start(2, 100);
    await fleet.run(15_000);
    expect(handled(fleet)).toBe(0);
    fleet.put();
    await fleet.run(5_000);
    await fleet.settle(15_000);
    expect(handled(fleet)).toBe(
      fleet.cluster.history.events.filter((event) => event.type === "put" && event.t >= 3_600_000).length,
    );
  });
});

it("an application does not begin with a listing that has no shard in it", async () => {
  let isEmpty = true;
  const fleet = new FaultyFleet({
    swarm: { shards: 2, initialPosition: "LATEST" },
    ports: (ports) => ({
      ...ports,
      stream: {
        ...ports.stream,
        listShards: async () => (isEmpty ? [] : ports.stream.listShards()),
      },
    }),
  });
  await fleet.run(1_000);
  fleet.cluster.startWorker();
  await fleet.run(5_000);
  const begun = () => fleet.cluster.history.events.find(({ type }) => type === "began");
  expect(begun()).toBeUndefined();
  isEmpty = false;
  await fleet.settle(15_000);
  expect(begun()).toBeDefined();
  fleet.put();
  await fleet.settle(5_000);
  expect(handled(fleet)).toBeGreaterThan(0);
});
