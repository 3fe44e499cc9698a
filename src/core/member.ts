/**
 * A worker as the fleet rows describe it. A fleet row has at most `MEMBERS_PER_ROW` members and stays below 1
 * KB. So a heartbeat costs one write unit and a poll half a read unit, in a fleet of any size.
 */
export type MemberState =
  /**
   * The plan counts it, but it gets no leases yet. Joiners that arrive together become active together, so
   * that no lease moves twice.
   */
  | "joining"
  | "active"
  /** Hands its leases over, and gets none. */
  | "leaving"
  /** No heartbeat was observed for the failover time. The entry stays until its leases have new owners. */
  | "dead";

export interface Member {
  readonly workerId: string;
  /**
   * New at every start and rejoin. It tells a process that it was marked dead, or that another process has
   * the same worker id.
   */
  readonly incarnation: string;
  /** Changes with every heartbeat. Other workers only check whether it has moved, by their own clocks. */
  readonly heartbeat: number;
  readonly state: MemberState;
  /** The cap that this worker computed for itself. Undefined: no cap. */
  readonly maxLeases: number | undefined;
  /** False: the worker takes only unowned and expired leases, and its leases stay with it until it leaves. */
  readonly steals: boolean;
  /** Other workers judge this worker by its own failover time, so a fleet may mix settings. */
  readonly failoverTimeMillis: number;
  /**
   * True: `failoverTimeMillis` is raised to cover a block of the event loop that was long enough for this
   * worker to be marked dead.
   */
  readonly covers?: boolean;
  /** Present while this worker is young (`trial.ts`): how many workers before it died young, in a row. */
  readonly earlyDeaths?: number;
  /** How many leases it holds. Present while the leader assigns (`assignments.ts`). */
  readonly leases?: number;
}

/** What the leader of a very large fleet wants done with one lease (`assignments.ts`). */
export interface Assignment {
  readonly leaseKey: string;
  /**
   * The worker that acts: the holder, which hands the lease over, or the new owner (`worker` equals `to`),
   * which claims it.
   */
  readonly worker: string;
  readonly to: string;
  /**
   * Of a lease to claim: its counter and owner as the leader read them. If the row has changed since, it is
   * not claimed.
   */
  readonly counter?: number;
  readonly owner?: string;
}

/** As counted by the leader. */
export interface FleetSize {
  readonly workers: number;
  readonly shards: number;
}

export interface FleetRow {
  readonly number: number;
  /**
   * The fleet version. Fleet row 0 only: changes with every change of membership or ownership, on any fleet
   * row.
   */
  readonly version: number;
  /** Fleet row 0 only: counts requests to list shards now (the resharder makes them). */
  readonly shardSyncRequests: number;
  readonly members: readonly Member[];
  /**
   * What the leader of a very large fleet wants the members of this row to do, in the order of the lease
   * keys.
   */
  readonly assignments?: readonly Assignment[];
  /** Fleet row 0 only: present while the leader assigns. */
  readonly size?: FleetSize;
  /**
   * Why some entries cannot be decoded, one line each. Their own workers write them again; no other worker
   * touches them.
   */
  readonly unreadable?: readonly string[];
}

/** 12 members with 40-character ids and the row's other attributes take about 1,000 bytes. */
export const MEMBERS_PER_ROW = 12;

/** KCL's `failoverTimeMillis`: two heartbeats may fail. */
export const DEFAULT_FAILOVER_TIME_MILLIS = 10_000;
