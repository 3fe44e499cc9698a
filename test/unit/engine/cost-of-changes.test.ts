/**
 * What a change costs beyond the steady state of `cost.test.ts`: the calls of the real engine, counted in
 * virtual time.
 */
import { describe, expect, it } from "vitest";
import { callsPerMinute, DEFAULT_SETTINGS } from "../../../src/core/cost.ts";
import { Cluster } from "../../simulation/cluster.ts";
import { startEngine } from "../../simulation/engine.ts";
import { faultFreeSwarm } from "../../simulation/fault-free.ts";

const WORKERS = 5;
const MINUTE = 60_000;
const PUT_INTERVAL_MILLIS = 250;
const pollsPerMinute = callsPerMinute({ ...DEFAULT_SETTINGS, shards: 30, workers: WORKERS }).polls;

/** 3 workers and 80 records a second, for half a minute. */
async function runningFleet(shards: number): Promise<Cluster> {
  const cluster = new Cluster(faultFreeSwarm({ ...DEFAULT_SETTINGS, shards, keys: 300 }), startEngine);
  const { scheduler } = cluster;
  const putEvery = () => {
    cluster.putSome((80 * PUT_INTERVAL_MILLIS) / 1_000);
    scheduler.after(PUT_INTERVAL_MILLIS, "put", putEvery);
  };
  putEvery();
  startWorkers(cluster, 3);
  await scheduler.run(MINUTE / 2);
  return cluster;
}

/** As ECS does: all within a moment. */
function startWorkers(cluster: Cluster, count: number): void {
  for (let index = 0; index < count; index++)
    cluster.scheduler.after(index * 37, "start", () => void cluster.startWorker());
}

function reshardTo30({ stream, table }: Cluster): void {
  for (let splits = 0; splits < 10; splits++) stream.split(stream.widestOpen()!.shard.shardId);
  table.requestShardSync();
}

/** Calls of the whole fleet in the next minute. */
async function countAMinute(cluster: Cluster): Promise<Record<string, number>> {
  const totals = () => {
    const calls: Record<string, number> = {};
    for (const { cost } of cluster.workers)
      for (const [name, count] of cost.calls) calls[name] = (calls[name] ?? 0) + count;
    return calls;
  };
  const before = totals();
  await cluster.scheduler.run(cluster.scheduler.now + MINUTE);
  return Object.fromEntries(
    Object.entries(totals()).map(([name, count]) => [name, count - (before[name] ?? 0)]),
  );
}

describe("30 shards, 5 workers", () => {
  it("a scale-out from 3 to 5: at most 35 GetItems a worker beside the idle looks, and 4 scans", async () => {
    const cluster = await runningFleet(30);
    startWorkers(cluster, 2);
    const { readFleet, list } = await countAMinute(cluster);
    expect(readFleet).toBeLessThanOrEqual(pollsPerMinute + 35 * WORKERS);
    expect(list).toBeLessThanOrEqual(4 * WORKERS);
  });

  it("the clean-up of finished leases after a reshard: its deletes, one scan, and no look more", async () => {
    const cluster = await runningFleet(20);
    startWorkers(cluster, 2);
    reshardTo30(cluster);
    await cluster.scheduler.run(cluster.scheduler.now + 10_000);
    const { readFleet, list, remove } = await countAMinute(cluster);
    expect({ remove, list }).toEqual({ remove: 10, list: 1 });
    expect(readFleet).toBeLessThanOrEqual(pollsPerMinute * 1.04);
  });
});
