/**
 * The engine broken on purpose, at its ports: tests of the tests. Each must be found by the checkers within a few
 * hundred seeds, or the checkers are not worth their name.
 */

import type { LeaseStore } from "../../services/consumer/ports/lease-store.ts";
import type { Stream } from "../../services/consumer/ports/stream.ts";
import type { Clock } from "../../services/shared/clock.ts";
import type { LeaseTable } from "./world/lease-table.ts";

export interface Mutation {
  readonly name: string;
  readonly store?: (store: LeaseStore, table: LeaseTable, worker: string) => LeaseStore;
  readonly stream?: (stream: Stream) => Stream;
  readonly clock?: (clock: Clock) => Clock;
  /** The cap formula a worker is given in place of the right one. */
  readonly cap?: (shards: number, workers: number, limit: number) => number;
}

/** A checkpoint is written whoever owns the row now. */
const unfencedCheckpoint: Mutation = {
  name: "unfenced-checkpoint",
  store: (store, table, worker) => ({
    ...store,
    checkpoint: async (held, checkpoint) => {
      const outcome = await store.checkpoint(held, checkpoint);
      const current = table.lease(held.leaseKey);
      if (outcome.kind === "ok" || current === undefined) return outcome;
      return { kind: "ok", lease: table.overwriteCheckpoint(worker, current, checkpoint) };
    },
  }),
};

/** Nobody is told who a shard's parents are. */
const childBeforeParent: Mutation = {
  name: "child-before-parent",
  store: (store) => ({
    ...store,
    list: async (options) => {
      const listing = await store.list(options);
      return { ...listing, leases: listing.leases.map((lease) => ({ ...lease, parentShardIds: [] })) };
    },
  }),
};

/** Leases age on the wall clock, which somebody sets. */
const wallClockExpiry: Mutation = {
  name: "wall-clock-expiry",
  clock: (clock) => ({
    wallMillis: () => clock.wallMillis(),
    monotonicMillis: () => clock.wallMillis(),
    sleep: (millis, signal) => clock.sleep(millis, signal),
  }),
};

/** 20 shards over 3 workers: 6 each, and two are nobody's. */
const floorInTheCap: Mutation = {
  name: "floor-in-the-cap",
  cap: (shards, workers, limit) => Math.max(1, Math.min(limit, Math.floor(shards / workers))),
};

/** The new owner starts where the last periodic checkpoint was. */
const handOverBeforeCheckpoint: Mutation = {
  name: "hand-over-before-checkpoint",
  store: (store) => ({
    ...store,
    handOver: (held, to) => store.handOver(held, to, held.checkpoint),
  }),
};

export const MUTATIONS: readonly Mutation[] = [
  unfencedCheckpoint,
  childBeforeParent,
  wallClockExpiry,
  floorInTheCap,
  handOverBeforeCheckpoint,
];
