/**
 * The engine broken on purpose at its ports: tests of the tests. The checkers must find each mutant within a
 * few hundred seeds (mutants.test.ts).
 */

import type { EngineOptions } from "../../src/engine/engine-context.ts";
import type { ProcessRecords } from "../../src/engine/reader/reader-options.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { LeaseStore } from "../../src/ports/lease-store.ts";
import type { Stream } from "../../src/ports/stream.ts";
import { FAULT_MUTATIONS } from "./fault-mutations.ts";
import type { FaultKind } from "./faults/plan.ts";
import type { Decide } from "./faults/unequal.ts";
import type { Swarm } from "./swarm.ts";
import type { LeaseTable } from "./world/lease-table.ts";

export interface Mutation {
  readonly name: string;
  /** It shows under this kind of fault. */
  readonly only?: FaultKind;
  readonly decide?: (decide: Decide, clock: Clock) => Decide;
  /** It logs nothing. */
  readonly logsNothing?: true;
  /** The swarm that the engine is given instead of the drawn one. */
  readonly told?: (swarm: Swarm) => Swarm;
  /** Engine options that replace the drawn ones. */
  readonly options?: Partial<EngineOptions>;
  readonly handler?: (handler: ProcessRecords) => ProcessRecords;
  readonly store?: (store: LeaseStore, table: LeaseTable, worker: string, swarm: Swarm) => LeaseStore;
  readonly stream?: (stream: Stream) => Stream;
  readonly clock?: (clock: Clock) => Clock;
  /** The cap formula that a worker is given instead of the right one. */
  readonly cap?: (shards: number, workers: number, limit: number) => number;
}

/** A checkpoint is written whichever worker owns the row. */
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

/** No worker learns the parents of a shard. */
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

/** Leases expire by the wall clock, which is set during the run. */
const wallClockExpiry: Mutation = {
  name: "wall-clock-expiry",
  clock: (clock) => ({
    wallMillis: () => clock.wallMillis(),
    monotonicMillis: () => clock.wallMillis(),
    sleep: (millis, signal) => clock.sleep(millis, signal),
  }),
};

/** 20 shards over 3 workers: 6 each, and two are unowned. */
const floorInTheCap: Mutation = {
  name: "floor-in-the-cap",
  cap: (shards, workers, limit) => Math.max(1, Math.min(limit, Math.floor(shards / workers))),
};

/** The new owner starts at the last periodic checkpoint. */
const handOverBeforeCheckpoint: Mutation = {
  name: "hand-over-before-checkpoint",
  store: (store) => ({
    ...store,
    handOver: (held, to) => store.handOver(held, to, held.checkpoint),
  }),
};

/** LATEST is wherever the tip is when the next owner starts. */
const latestAnew: Mutation = {
  name: "latest-anew",
  only: "beginning",
  store: (store) => ({ ...store, create: (lease) => store.create({ ...lease, startMillis: undefined }) }),
};

/** The checkpoint passes a record that failed, although the user's option is "stop". */
const passesOverUnderStop: Mutation = {
  name: "passes-over-under-stop",
  told: (swarm) => (swarm.onError === "stop" ? { ...swarm, onError: "skip" } : swarm),
};

/** Failed records are passed over without a call of `deadLetter`. */
const dropsDeadLetters: Mutation = {
  name: "drops-dead-letters",
  told: (swarm) => (swarm.onError === "deadLetter" ? { ...swarm, onError: "skip" } : swarm),
};

/** A failed batch is given up as a whole, including the neighbours of the poison record. */
const givesUpWholeBatches: Mutation = {
  name: "gives-up-whole-batches",
  handler: (handler) => async (input) => {
    try {
      await handler(input);
    } catch (error) {
      if (input.records.length === 1) throw error;
    }
  },
};

/** All records of a call count as processed, whatever the handler checkpointed. */
const checkpointsUnasked: Mutation = {
  name: "checkpoints-unasked",
  told: (swarm) => ({ ...swarm, checkpointMode: "auto" }),
};

/** With interval 0, the handler is told that its checkpoint is written while the write still waits. */
const confirmsBeforeItWrites: Mutation = {
  name: "tells-before-it-writes",
  options: { checkpointIntervalMillis: 20_000 },
};

/** The engine waits for a handler that hangs. */
const noTimeLimit: Mutation = {
  name: "no-time-limit",
  told: (swarm) => ({ ...swarm, processTimeoutMillis: undefined }),
};

export const MUTATIONS: readonly Mutation[] = [
  unfencedCheckpoint,
  childBeforeParent,
  wallClockExpiry,
  floorInTheCap,
  handOverBeforeCheckpoint,
  latestAnew,
  passesOverUnderStop,
  dropsDeadLetters,
  givesUpWholeBatches,
  checkpointsUnasked,
  confirmsBeforeItWrites,
  noTimeLimit,
  ...FAULT_MUTATIONS,
];
