/**
 * What a fleet in which nothing changes costs, computed from its size and options. Follows `pace.ts`, whose numbers
 * bound it; test/unit/engine/cost.test.ts counts the calls of the real engine against it.
 */
import { MEMBERS_PER_ROW } from "./member.ts";
import { pollIntervalsOf } from "./poll-intervals.ts";

export interface FleetSettings {
  readonly shards: number;
  readonly workers: number;
  readonly failoverTimeMillis: number;
  readonly shardSyncIntervalMillis: number;
  readonly checkpointIntervalMillis: number;
  readonly idleTimeBetweenReadsMillis: number;
  readonly leaseRenewal: "worker" | "lease";
  /** Shards that bring records all the time: they checkpoint once an interval. The others are read, and write nothing. */
  readonly busyShards: number;
}

/** The library's defaults. Our stack sets `failoverTimeMillis` to 4000. */
export const DEFAULT_SETTINGS = {
  failoverTimeMillis: 10_000,
  shardSyncIntervalMillis: 5_000,
  checkpointIntervalMillis: 5_000,
  idleTimeBetweenReadsMillis: 1_000,
  leaseRenewal: "worker",
  busyShards: 0,
} as const satisfies Omit<FleetSettings, "shards" | "workers">;

/** Calls a minute of the whole fleet. */
export interface CallsPerMinute {
  readonly heartbeats: number;
  /** Of leases, with `leaseRenewal: "lease"`. */
  readonly renewals: number;
  readonly checkpoints: number;
  /** GetItems of fleet rows. */
  readonly polls: number;
  readonly listShards: number;
  readonly getRecords: number;
}

const MINUTE = 60_000;
/** us-east-1, on demand, 2026: dollars a million units. A row is below 1 KB: a write is one unit, an eventually consistent GetItem half a one. */
const DOLLARS_PER_MILLION = { write: 0.625, read: 0.125 };
const MINUTES_PER_MONTH = 730 * 60;
/** KCL renews every lease at a third of the failover time less 25 ms (`LeaseCoordinator`): 18.14 writes a minute a shard at 10 s. */
const KCL_EPSILON_MILLIS = 25;

export function callsPerMinute(settings: FleetSettings): CallsPerMinute {
  const { shards, workers, busyShards, failoverTimeMillis } = settings;
  const { heartbeatMillis, idleMillis, pollMillis } = pollIntervalsOf(
    { workers, leases: shards },
    failoverTimeMillis,
  );
  const heartbeatsPerWorker = MINUTE / heartbeatMillis;
  const pollsPerHeartbeat = Math.round(heartbeatMillis / pollMillis);
  // Where the idle interval is longer than a beat, the other pages are read once in it (`FleetPoller`).
  const heartbeatsPerRowRead = Math.max(1, Math.ceil((0.85 * idleMillis) / heartbeatMillis));
  // The leader lists shards at its first look after the interval.
  const listShards = MINUTE / (settings.shardSyncIntervalMillis + pollMillis / 2);
  const checkpointMillis = Math.max(settings.checkpointIntervalMillis, settings.idleTimeBetweenReadsMillis);
  // A lease is renewed at the first look a beat after its counter moved; a checkpoint moves it too.
  const renewalMillis = heartbeatMillis + pollMillis / 2;
  const perBusyShard = (Math.floor(checkpointMillis / renewalMillis) * MINUTE) / checkpointMillis;
  const perIdleShard = MINUTE / renewalMillis;
  return {
    heartbeats: workers * heartbeatsPerWorker,
    renewals:
      settings.leaseRenewal === "worker"
        ? 0
        : busyShards * perBusyShard + (shards - busyShards) * perIdleShard,
    checkpoints: (busyShards * MINUTE) / checkpointMillis,
    polls:
      (workers * (pollsPerHeartbeat - 1) + rowsReadPerHeartbeat(workers) / heartbeatsPerRowRead) *
      heartbeatsPerWorker,
    listShards,
    // A shard that has been empty for a minute is read half as often.
    getRecords: ((busyShards + (shards - busyShards) / 2) * MINUTE) / settings.idleTimeBetweenReadsMillis,
  };
}

/** With more than one page, each worker also looks at page 0 and at the next page when it beats; the leader goes round all. */
function rowsReadPerHeartbeat(workers: number): number {
  const fleetRows = Math.ceil(workers / MEMBERS_PER_ROW);
  if (fleetRows < 2) return 0;
  // A beat shows its own page; on the last page the next one is page 0.
  const onMiddleRows = MEMBERS_PER_ROW * (fleetRows - 2);
  return workers + onMiddleRows + (fleetRows - 2) / fleetRows;
}

export interface TableCost {
  readonly writeUnitsPerMinute: number;
  readonly readUnitsPerMinute: number;
  readonly dollarsPerMonth: number;
}

export function tableCost({ heartbeats, renewals, checkpoints, polls }: CallsPerMinute): TableCost {
  return priced(heartbeats + renewals + checkpoints, polls / 2);
}

/** What KCL's renewals alone cost, with neither its checkpoints nor its scans. */
export function kclRenewalCost({
  shards,
  failoverTimeMillis,
}: Pick<FleetSettings, "shards" | "failoverTimeMillis">): TableCost {
  return priced((shards * MINUTE) / (failoverTimeMillis / 3 - KCL_EPSILON_MILLIS), 0);
}

function priced(writeUnitsPerMinute: number, readUnitsPerMinute: number): TableCost {
  const dollars =
    writeUnitsPerMinute * DOLLARS_PER_MILLION.write + readUnitsPerMinute * DOLLARS_PER_MILLION.read;
  return {
    writeUnitsPerMinute,
    readUnitsPerMinute,
    dollarsPerMonth: (dollars * MINUTES_PER_MONTH) / 1e6,
  };
}
