/**
 * How soon a fleet is even again after two workers join three, in virtual time. Goal: a median of one second.
 */
import { describe, expect, it } from "vitest";
import { Cluster } from "../../simulation/cluster.ts";
import { startEngine } from "../../simulation/engine.ts";
import { faultFreeSwarm } from "../../simulation/fault-free.ts";

const SHARDS = 30;
const STEP_MILLIS = 20;
const GIVEN_UP_MILLIS = 10_000;

/**
 * @returns the time from the start of the second joiner to 6/6/6/6/6, and the leases that changed owners
 * meanwhile
 */
async function scaleOut(seed: number, { apartMillis }: { readonly apartMillis: number }) {
  const cluster = new Cluster(
    faultFreeSwarm({ seed, shards: SHARDS, failoverTimeMillis: 4_000, latencyMillis: { low: 2, high: 10 } }),
    startEngine,
  );
  const { scheduler } = cluster;
  const putEvery = () => {
    cluster.putSome(10);
    scheduler.after(50, "put", putEvery);
  };
  putEvery();
  for (let first = 0; first < 3; first++) cluster.startWorker();
  // The joiners start at any moment between two polls of the others.
  await scheduler.run(20_000 + seed * 97);
  cluster.startWorker();
  await scheduler.run(scheduler.now + apartMillis);
  cluster.startWorker();
  const startedMillis = scheduler.now;
  const ownersBefore = owners(cluster);
  while (!isEven(cluster) && scheduler.now - startedMillis < GIVEN_UP_MILLIS)
    await scheduler.run(scheduler.now + STEP_MILLIS);
  const tookMillis = scheduler.now - startedMillis;
  await scheduler.run(scheduler.now + 5_000);
  expect(isEven(cluster), "stays even").toBe(true);
  const changed = [...owners(cluster)].filter(([key, owner]) => ownersBefore.get(key) !== owner).length;
  const handOvers = cluster.history.events.filter(
    (event) => event.type === "write" && event.operation === "handOver",
  ).length;
  return { tookMillis, changed, handOvers };
}

const owners = (cluster: Cluster) => new Map(cluster.table.leases().map((l) => [l.leaseKey, l.owner]));

function isEven(cluster: Cluster): boolean {
  const counts = new Map<string | undefined, number>();
  for (const owner of owners(cluster).values()) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return counts.size === 5 && [...counts.values()].every((count) => count === SHARDS / 5);
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

describe("two workers join three", () => {
  const timeout = 120_000;
  it.each([0, 200])(
    "started %d ms apart: even within a second, in twelve moves",
    { timeout },
    async (apartMillis) => {
      const runs = [];
      for (let seed = 1; seed <= 30; seed++) runs.push(await scaleOut(seed, { apartMillis }));
      const took = runs.map(({ tookMillis }) => tookMillis);
      expect(runs.filter(({ changed, handOvers }) => changed !== 12 || handOvers !== 12)).toEqual([]);
      expect(Math.max(...took)).toBeLessThanOrEqual(1_250);
      expect(median(took)).toBeLessThanOrEqual(800);
    },
  );
});
