/** The real engine in virtual time, and every call that the whole fleet makes while nothing changes. */
import type { FleetSettings } from "../../src/core/cost.ts";
import { Cluster } from "../simulation/cluster.ts";
import { startEngine } from "../simulation/engine.ts";
import { faultFreeSwarm } from "../simulation/fault-free.ts";

/**
 * By then joining, claiming and the first checkpoints are over, and without puts every shard was empty for a
 * minute.
 */
const WARM_UP_MILLIS = 120_000;
const PUT_INTERVAL_MILLIS = 250;

export interface Counted {
  /** Calls a minute of the whole fleet by operation, as the store and the stream name them. */
  readonly perMinute: Readonly<Record<string, number>>;
  readonly readUnitsPerMinute: number;
  readonly writeUnitsPerMinute: number;
}

/** @param putsPerSecond over all shards: with 0, `busyShards` should be 0 */
export async function countCalls(
  settings: FleetSettings,
  { minutes, putsPerSecond }: { readonly minutes: number; readonly putsPerSecond: number },
): Promise<Counted> {
  const { shards, workers, ...options } = settings;
  const cluster = new Cluster(faultFreeSwarm({ ...options, shards, keys: shards * 50 }), startEngine);
  const { scheduler } = cluster;
  let due = 0;
  const putEvery = () => {
    due += (putsPerSecond * PUT_INTERVAL_MILLIS) / 1_000;
    cluster.putSome(Math.floor(due));
    due -= Math.floor(due);
    scheduler.after(PUT_INTERVAL_MILLIS, "put", putEvery);
  };
  putEvery();
  for (let index = 0; index < workers; index++)
    scheduler.at(index * 37, "start", () => void cluster.startWorker(`w${String(index).padStart(4, "0")}`));
  await scheduler.run(WARM_UP_MILLIS);
  const before = totals(cluster);
  await scheduler.run(scheduler.now + minutes * 60_000);
  const after = totals(cluster);
  const rate = (count: number, earlier: number) => (count - earlier) / minutes;
  return {
    perMinute: Object.fromEntries(
      [...after.calls].map(([name, count]) => [name, rate(count, before.calls.get(name) ?? 0)]),
    ),
    readUnitsPerMinute: rate(after.readUnits, before.readUnits),
    writeUnitsPerMinute: rate(after.writeUnits, before.writeUnits),
  };
}

function totals(cluster: Cluster) {
  const calls = new Map<string, number>();
  let readUnits = 0;
  let writeUnits = 0;
  for (const { cost, streamCalls } of cluster.workers) {
    for (const [name, count] of [...cost.calls, ...streamCalls])
      calls.set(name, (calls.get(name) ?? 0) + count);
    readUnits += cost.readUnits;
    writeUnits += cost.writeUnits;
  }
  return { calls, readUnits, writeUnits };
}
