/** Caps that leave shards unowned: the leader logs it once, and then every five minutes while it lasts. */
import { describe, expect, it } from "vitest";
import { FaultyFleet } from "./faulty-fleet.ts";

describe("caps that leave shards unread", () => {
  it("are told of once, after five minutes again, and anew when they were raised and lowered", async () => {
    let cap = 2;
    const fleet = new FaultyFleet({
      swarm: { shards: 6, shardSyncIntervalMillis: 5_000 },
      options: { maxLeasesForWorker: ({ workers }) => cap / workers },
    });
    const said = () => fleet.said.filter(({ message }) => message.includes("shards stay unread"));
    await fleet.start(1);
    await fleet.run(280_000);
    expect(said()).toMatchObject([{ level: "error", fields: { spilled: 4, workers: 1, runnable: 6 } }]);
    await fleet.run(60_000);
    expect(said()).toHaveLength(2);
    // The formula is called again when the number of workers or shards changes.
    cap = 100;
    fleet.cluster.startWorker();
    await fleet.run(30_000);
    expect(said()).toHaveLength(2);
    cap = 2;
    fleet.cluster.stopWorker(fleet.worker("w2"));
    await fleet.run(20_000);
    // The worker keeps the leases that it holds: only the children are left over.
    fleet.cluster.stream.split(fleet.cluster.stream.openShards()[0]!.shard.shardId);
    await fleet.run(60_000);
    expect(said()).toHaveLength(3);
  });
});
