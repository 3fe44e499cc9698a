/** Mutants of the engine that one kind of fault of `faults/plan.ts` each must reveal. */
import { LATEST } from "../../src/core/lease.ts";
import type { FleetRow, Member } from "../../src/core/member.ts";
import { type LeaseStore, StoreError, type WriteOutcome } from "../../src/ports/lease-store.ts";
import { type Shard, StreamError } from "../../src/ports/stream.ts";
import { failoverOf } from "./faults/unequal.ts";
import type { Mutation } from "./mutation.ts";

/** Time in which no worker could poll counts as time without a heartbeat. */
const observationIgnoresGaps: Mutation = {
  name: "observation-ignores-gaps",
  only: "outage",
  decide: (decide, clock) => {
    const moved = new Map<string, { readonly heartbeat: number; readonly atMillis: number }>();
    return (facts) => {
      const now = clock.monotonicMillis();
      const expiredMembers = new Set(facts.expiredMembers);
      for (const { workerId, heartbeat, failoverTimeMillis } of facts.members) {
        const known = moved.get(workerId);
        if (known?.heartbeat !== heartbeat) moved.set(workerId, { heartbeat, atMillis: now });
        else if (now - known.atMillis > failoverTimeMillis) expiredMembers.add(workerId);
      }
      return decide({ ...facts, expiredMembers });
    };
  },
};

/** Each member is judged by the observer's failover time. */
const judgesByItsOwnFailover: Mutation = {
  name: "judges-by-its-own-failover",
  only: "unequal-failover",
  store: (store, _table, worker, swarm) => {
    const own = failoverOf(swarm, worker);
    const member = (entry: Member): Member => ({ ...entry, failoverTimeMillis: own });
    const fleetRow = (row: FleetRow): FleetRow => ({ ...row, members: row.members.map(member) });
    return {
      ...store,
      list: async (options) => {
        const listing = await store.list(options);
        return { ...listing, fleetRows: listing.fleetRows.map(fleetRow) };
      },
      readFleet: async (number, options) => {
        const row = await store.readFleet(number, options);
        return row && fleetRow(row);
      },
      sendHeartbeat: async (number, entry, options) => {
        const outcome = await store.sendHeartbeat(number, entry, options);
        return outcome.kind === "ok" ? { ...outcome, fleetRow: fleetRow(outcome.fleetRow) } : outcome;
      },
    };
  },
};

/** An answer without leases is believed to be an empty table, although the fleet was there a moment ago. */
const believesEmptyListing: Mutation = {
  name: "believes-an-empty-listing",
  only: "malformed",
  store: (store) => {
    let fleetRows: readonly FleetRow[] = [];
    return {
      ...store,
      list: async (options) => {
        try {
          const listing = await store.list(options);
          if (listing.fleetRows.length > 0) fleetRows = listing.fleetRows;
          return { ...listing, fleetRows: fleetRows, hasApplication: true };
        } catch (error) {
          if (!(error instanceof StoreError) || error.errorClass !== "malformed-answer") throw error;
          return { leases: [], corrupt: [], fleetRows: fleetRows, hasApplication: true };
        }
      },
    };
  },
};

/** Refused credentials count as a refused position: the next iterator starts at the trim horizon. */
const deniedIsAPosition: Mutation = {
  name: "denied-is-a-refused-position",
  only: "denied",
  stream: (stream) => {
    const refused = new Set<string>();
    return {
      ...stream,
      iterator: async (shardId, position) => {
        try {
          const from = refused.has(shardId) ? ({ kind: "trim-horizon" } as const) : position;
          const iterator = await stream.iterator(shardId, from);
          refused.delete(shardId);
          return iterator;
        } catch (error) {
          if (error instanceof StreamError && error.problem !== "throttled") refused.add(shardId);
          throw error;
        }
      },
    };
  },
};

/** A worker's own write whose response was lost is taken for another worker's. */
const forgetsWritesInDoubt: Mutation = {
  name: "forgets-writes-in-doubt",
  only: "outage",
  store: (store) => {
    const blind = (outcome: WriteOutcome): WriteOutcome =>
      outcome.kind === "lost" ? { kind: "lost", current: undefined } : outcome;
    const blinded: Partial<LeaseStore> = {
      renew: async (held) => blind(await store.renew(held)),
      checkpoint: async (held, checkpoint) => blind(await store.checkpoint(held, checkpoint)),
    };
    return { ...store, ...blinded };
  },
};

/** Each row's LATEST stands for a time after the row's creation. */
const latestLater: Mutation = {
  name: "latest-later",
  only: "beginning",
  store: (store, _table, _worker, swarm) => ({
    ...store,
    create: (lease) => {
      const { startMillis } = lease;
      const isLatest = lease.checkpoint.sequenceNumber === LATEST && startMillis !== undefined;
      return store.create(
        isLatest ? { ...lease, startMillis: startMillis + LATER_PARTS * swarm.failoverTimeMillis } : lease,
      );
    },
  }),
};
const LATER_PARTS = 0.25;

/** An answer without an iterator counts as the end of the shard, whatever the listing says. */
const endsOnAnEmptyAnswer: Mutation = {
  name: "ends-on-an-empty-answer",
  only: "malformed",
  stream: (stream) => {
    const ended = new Set<string>();
    let known: readonly Shard[] = [];
    return {
      ...stream,
      listShards: async () => {
        const listed = await stream.listShards();
        if (listed.length > 0) known = listed;
        return known.map((shard) => (ended.has(shard.shardId) ? { ...shard, closed: true } : shard));
      },
      read: async (iterator, maxRecords) => {
        const shardId = iterator.split("|")[0]!;
        const result = await stream.read(iterator, maxRecords);
        // The reader's second request is ignored: the first answer counts.
        if (ended.has(shardId)) return { ...result, records: [], nextIterator: undefined };
        if (result.nextIterator === undefined) ended.add(shardId);
        return result;
      },
    };
  },
};

/** What the handler cannot do now is skipped. */
const givesUpUnderAnOutage: Mutation = {
  name: "gives-up-under-an-outage",
  only: "downstream",
  handler: (handler) => async (input) => {
    try {
      await handler(input);
    } catch {
      // The batch counts as processed.
    }
  },
};

/** A worker that was blocked still publishes its option's failover time. */
const publishesItsOption: Mutation = {
  name: "publishes-its-option",
  only: "blocked-loops",
  store: (store, _table, worker, swarm) => {
    const plain = (entry: Member): Member => ({ ...entry, failoverTimeMillis: failoverOf(swarm, worker) });
    return {
      ...store,
      join: (fleetRow, entry) => store.join(fleetRow, plain(entry)),
      sendHeartbeat: (fleetRow, entry, options) => store.sendHeartbeat(fleetRow, plain(entry), options),
    };
  },
};

/** Published failover times are ignored: each member is judged by the observer's option. */
const ignoresPublishedTimes: Mutation = {
  ...judgesByItsOwnFailover,
  name: "ignores-published-times",
  only: "blocked-loops",
};

/** A handler is given all records there are, however long they block. */
const doesNotFitBatches: Mutation = {
  name: "does-not-fit-batches",
  only: "blocked-loops",
  options: { fitsBatches: false },
};

/** A worker that was once on trial stays on trial, however long it lives. */
const trialsNeverEnd: Mutation = {
  name: "trials-never-end",
  only: "crash-loop",
  decide: (decide) => {
    const tried = new Set<string>();
    return (facts) => {
      for (const { workerId, earlyDeaths = 0 } of facts.members) if (earlyDeaths > 0) tried.add(workerId);
      const members = facts.members.map((member) =>
        tried.has(member.workerId)
          ? { ...member, earlyDeaths: Math.max(1, member.earlyDeaths ?? 0) }
          : member,
      );
      return decide({ ...facts, members });
    };
  },
};

/**
 * A worker that follows early deaths gets its whole share at once. No invariant forbids that: each death
 * costs moves and repeated records, as any crash may. The measurement in `crash-loop.ts` finds it.
 */
export const NO_TRIALS: Mutation = {
  name: "no-trials",
  only: "crash-loop",
  decide: (decide) => (facts) =>
    decide({
      ...facts,
      members: facts.members.map(({ earlyDeaths: _, ...member }) => member),
    }),
};

/** In a very large fleet, the leader plans but assigns nothing. */
const assignsNothing: Mutation = {
  name: "assigns-nothing",
  decide: (decide) => (facts) => ({ ...decide(facts), assignments: [] }),
};

/** In a very large fleet, no worker notices that another one is underfilled. */
const ignoresUnderfilled: Mutation = {
  name: "ignores-underfilled",
  decide: (decide) => (facts) => decide({ ...facts, underfilled: new Set() }),
};

/** A child whose parent's row was removed by hand is read at once. */
const readsOrphans: Mutation = {
  name: "reads-orphans",
  decide: (decide) => (facts) => decide({ ...facts, missing: new Set() }),
};

/** Nothing is logged. */
const logsNothing: Mutation = { name: "says-nothing", only: "outage", logsNothing: true };

export const FAULT_MUTATIONS: readonly Mutation[] = [
  observationIgnoresGaps,
  judgesByItsOwnFailover,
  believesEmptyListing,
  deniedIsAPosition,
  forgetsWritesInDoubt,
  latestLater,
  endsOnAnEmptyAnswer,
  givesUpUnderAnOutage,
  publishesItsOption,
  ignoresPublishedTimes,
  doesNotFitBatches,
  trialsNeverEnd,
  assignsNothing,
  ignoresUnderfilled,
  readsOrphans,
  logsNothing,
];
