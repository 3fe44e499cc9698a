/**
 * The cost of a fleet in which nothing changes, computed from its size and options. It follows
 * `poll-intervals.ts`, whose numbers bound it. test/unit/engine/cost.test.ts counts the calls of the real
 * engine against it.
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
  /**
   * Shards that always have new records: each checkpoints once an interval. The other shards are read, and
   * write nothing.
   */
  readonly busyShards: number;
}

/** The library's defaults. The stack of this repository sets `failoverTimeMillis` to 4000. */
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
/**
 * us-east-1, on demand, 2026: dollars per million units. A row is below 1 KB: a write is one unit, an
 * eventually consistent GetItem half a unit.
 */
const DOLLARS_PER_MILLION = { write: 0.625, read: 0.125 };
const MINUTES_PER_MONTH = 730 * 60;
/**
 * KCL renews every lease at a third of the failover time minus 25 ms (`LeaseCoordinator`): 18.14 writes a
 * minute per shard at 10 s.
 */
const KCL_EPSILON_MILLIS = 25;

export function callsPerMinute(settings: FleetSettings): CallsPerMinute {
  const { shards, workers, busyShards, failoverTimeMillis } = settings;
  const { heartbeatMillis, idleMillis, pollMillis } = pollIntervalsOf(
    { workers, leases: shards },
    failoverTimeMillis,
  );
  const heartbeatsPerWorker = MINUTE / heartbeatMillis;
  const pollsPerHeartbeat = Math.round(heartbeatMillis / pollMillis);
  // If the idle interval is longer than a heartbeat, the other fleet rows are read once per idle interval
  // (`FleetPoller`).
  const heartbeatsPerRowRead = Math.max(1, Math.ceil((0.85 * idleMillis) / heartbeatMillis));
  // The leader lists shards at its first poll after the interval.
  const listShards = MINUTE / (settings.shardSyncIntervalMillis + pollMillis / 2);
  const checkpointMillis = Math.max(settings.checkpointIntervalMillis, settings.idleTimeBetweenReadsMillis);
  // A lease is renewed at the first poll that is a heartbeat interval after its counter moved. A checkpoint
  // moves it too.
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

/**
 * With more than one fleet row, each worker also reads row 0 and the next row with its heartbeat. The leader
 * reads all rows in turn.
 */
function rowsReadPerHeartbeat(workers: number): number {
  const fleetRows = Math.ceil(workers / MEMBERS_PER_ROW);
  if (fleetRows < 2) return 0;
  // The heartbeat returns the worker's own row. On the last row, the next row is row 0.
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

/** The cost of KCL's renewals alone, without its checkpoints and scans. */
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
