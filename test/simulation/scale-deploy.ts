/**
 * A whole deploy of a large fleet, by real engines on the simulated table: every worker is replaced, with the
 * starts spread over a minute. Counts the rows that the fleet's scans read, and the time until the leases are
 * even.
 */
import { DEFAULT_ASSIGNS_FROM } from "../../src/core/assignments.ts";
import { Cluster } from "./cluster.ts";
import { startEngine } from "./engine.ts";
import { faultFreeSwarm } from "./fault-free.ts";
import { freshLease } from "./world/fresh-lease.ts";

export interface DeploySize {
  readonly workers: number;
  readonly shards: number;
  readonly maxRowsPerSecond: number;
  readonly maxEvenMillis: number;
  /** Workers × shards from which on the leader assigns. Default: the engine's. */
  readonly assignsFrom?: number;
}

export const DEPLOYS: Readonly<Record<"deploy" | "large-deploy", DeploySize>> = {
  deploy: { workers: 80, shards: 500, maxRowsPerSecond: 20_000, maxEvenMillis: 30_000 },
  "large-deploy": { workers: 1_000, shards: 10_000, maxRowsPerSecond: 60_000, maxEvenMillis: 300_000 },
};

export interface DeployFigures {
  readonly peakRowsPerSecond: number;
  readonly meanRowsPerSecond: number;
  /** From the last start until the leases are even among the new workers; undefined: never. */
  readonly evenAfterMillis: number | undefined;
  readonly handOvers: number;
  readonly startRowsPerSecond: number;
}

const SPREAD_MILLIS = 60_000;
const STEP_MILLIS = 250;
const GIVEN_UP_MILLIS = 600_000;

export async function measureDeploy(size: DeploySize): Promise<DeployFigures> {
  const { workers, shards, assignsFrom = DEFAULT_ASSIGNS_FROM } = size;
  // Few reads: the coordination is what is measured.
  const swarm = faultFreeSwarm({
    shards,
    failoverTimeMillis: 10_000,
    idleTimeBetweenReadsMillis: 30_000,
    assignsFrom,
  });
  const cluster = new Cluster(swarm, startEngine);
  const { scheduler, history } = cluster;
  if (workers * shards >= assignsFrom) standStill(cluster, workers, shards);
  for (let index = 0; index < workers; index++) cluster.startWorker();
  await until(cluster, () => isEven(cluster, workers, shards));
  const old = cluster.up();
  const startRows = peakRows(cluster, 0);
  await scheduler.run(scheduler.now + 10_000);

  const deployedAt = scheduler.now;
  const firstEvent = history.events.length;
  for (const [index, worker] of old.entries()) {
    const at = deployedAt + (index * SPREAD_MILLIS) / workers;
    scheduler.at(at, "new", () => void cluster.startWorker());
    scheduler.at(at + SPREAD_MILLIS / workers, "old", () => cluster.stopWorker(worker));
  }
  await scheduler.run(deployedAt + SPREAD_MILLIS);
  const lastStart = scheduler.now;
  const even = await until(cluster, () => isEven(cluster, workers, shards));
  const evenAfterMillis = even ? scheduler.now - lastStart : undefined;
  const events = history.events.slice(firstEvent);
  const rows = events.reduce((sum, event) => sum + (event.type === "scan" ? event.rows : 0), 0);
  return {
    peakRowsPerSecond: peakRows(cluster, firstEvent),
    meanRowsPerSecond: rows / ((scheduler.now - deployedAt) / 1_000),
    evenAfterMillis,
    handOvers: events.filter((event) => event.type === "write" && event.operation === "handOver").length,
    startRowsPerSecond: startRows,
  };
}

/**
 * Writes the table of a very large fleet that was stopped. The fleet then starts as a very large one, in a
 * time that can be simulated.
 */
function standStill({ table, stream }: Cluster, workers: number, shards: number): void {
  for (const { shard } of stream.shards())
    table.put(freshLease(shard.shardId, { hashRange: shard.hashRange }));
  const first = { number: 0, version: 1, shardSyncRequests: 0, members: [], size: { workers, shards } };
  table.editFleetRowByHand(0, first, "a fleet that was stopped");
}

/** The most rows in any second from this event on. */
function peakRows({ history }: Cluster, firstEvent: number): number {
  const scans = history.events.slice(firstEvent).filter((event) => event.type === "scan");
  let [peak, sum, first] = [0, 0, 0];
  for (const { t, rows } of scans) {
    sum += rows;
    while (scans[first]!.t <= t - 1_000) sum -= scans[first++]!.rows;
    peak = Math.max(peak, sum);
  }
  return peak;
}

async function until({ scheduler }: Cluster, holds: () => boolean): Promise<boolean> {
  const limit = scheduler.now + GIVEN_UP_MILLIS;
  while (!holds() && scheduler.now < limit) await scheduler.run(scheduler.now + STEP_MILLIS);
  return holds();
}

function isEven(cluster: Cluster, workers: number, shards: number): boolean {
  const counts = new Map<string, number>();
  for (const worker of cluster.up()) counts.set(worker.id, 0);
  for (const { owner } of cluster.table.leases()) {
    const count = counts.get(owner ?? "");
    if (owner === undefined || count === undefined) return false;
    counts.set(owner, count + 1);
  }
  if (counts.size !== workers || cluster.table.leases().length < shards) return false;
  return Math.max(...counts.values()) - Math.min(...counts.values()) <= 1;
}
