/** 10,000 shards and 1,000 workers; 100 of these are new and replace 100 that are gone. */

import { FULL_RANGE, width } from "../../../src/core/hash-range.ts";
import type { Lease } from "../../../src/core/lease.ts";
import { type PlanWorker, planLeases } from "../../../src/core/plan.ts";
import { freshLease } from "../../simulation/world/lease-table.ts";

export interface PlanMeasured {
  readonly firstMillis: number;
  readonly medianMillis: number;
  readonly quietMillis: number;
  readonly allocatedMebibytes: number;
  readonly moves: number;
}

const SHARDS = 10_000;
const WORKERS = 1_000;
const REPLACED = 100;
const REPEATS = 15;

const name = (number: number): string => `worker-${String(number).padStart(4, "0")}`;
const workersFrom = (first: number): PlanWorker[] =>
  Array.from({ length: WORKERS }, (_, i) => ({
    workerId: name(first + i),
    role: "active",
    maxLeases: undefined,
    steals: true,
    failoverTimeMillis: 10_000,
  }));

const size = width(FULL_RANGE) / BigInt(SHARDS);
const leases: Lease[] = Array.from({ length: SHARDS }, (_, i) =>
  freshLease(`shardId-${String(i).padStart(12, "0")}`, {
    owner: name(i % WORKERS),
    counter: 5,
    hashRange: { start: size * BigInt(i), end: size * BigInt(i + 1) - 1n },
  }),
);

function timed(workers: readonly PlanWorker[]): number {
  const startedAt = performance.now();
  planLeases(leases, workers);
  return performance.now() - startedAt;
}
const middle = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const changed = workersFrom(REPLACED);
const firstMillis = timed(changed);
const medianMillis = middle(Array.from({ length: REPEATS }, () => timed(changed)));
const quietMillis = middle(Array.from({ length: REPEATS }, () => timed(workersFrom(0))));
if (globalThis.gc === undefined) throw new Error("start this with --expose-gc");
globalThis.gc();
const before = process.memoryUsage().heapUsed;
const { moves } = planLeases(leases, changed);
const allocatedMebibytes = (process.memoryUsage().heapUsed - before) / 2 ** 20;
const measured: PlanMeasured = {
  firstMillis,
  medianMillis,
  quietMillis,
  allocatedMebibytes,
  moves: moves.length,
};
process.send!(measured, () => process.disconnect());
