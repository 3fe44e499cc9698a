/**
 * A worker as the fleet rows show it. Fleet rows are pages of at most `MEMBERS_PER_ROW` members: one page stays
 * below 1 KB, so that a heartbeat is one write unit and a look half a read unit, whatever the fleet's size.
 */
export type MemberState =
  | "joining" // planned with, but given nothing yet: joiners that arrive together become active together, so no lease moves twice
  | "active"
  | "leaving" // hands its leases over; gets none
  | "dead"; // a watcher saw no heartbeat for failoverTime; the entry stays until its leases have new owners

export interface Member {
  readonly workerId: string;
  /** New at every start and rejoin: a process that was declared dead can tell, and so can a namesake. */
  readonly incarnation: string;
  /** Moves with every beat. Only "has it moved on my clock?" is ever asked of it. */
  readonly heartbeat: number;
  readonly state: MemberState;
  /** The cap this worker computed for itself; undefined: none. */
  readonly maxLeases: number | undefined;
  /** False: it takes unowned and expired leases only, and its leases are moved nowhere unless it leaves. */
  readonly steals: boolean;
  /** Others judge this worker by its own failover time, so that workers with different settings live together. */
  readonly failoverTimeMillis: number;
  /** True: that time covers a block of its event loop that was long enough to cost a worker its place. */
  readonly covers?: boolean;
  /** Present while this worker is young (`trial.ts`): how many before it died young, in a row. */
  readonly earlyDeaths?: number;
  /** How many leases it holds. Present while the leader assigns (`assignments.ts`). */
  readonly leases?: number;
}

/** What the leader of a very large fleet wants done with one lease (`assignments.ts`). */
export interface Assignment {
  readonly leaseKey: string;
  /** Who is to act: the holder, which hands the lease over, or (`worker` is `to`) the new owner, which claims it. */
  readonly worker: string;
  readonly to: string;
  /** Of a lease to claim: its counter and owner as the leader read them. A row that has changed since is not claimed. */
  readonly counter?: number;
  readonly owner?: string;
}

/** As the leader counted it. */
export interface FleetSize {
  readonly workers: number;
  readonly shards: number;
}

export interface FleetRow {
  readonly number: number;
  /** Page 0 only: moves with every change of membership or ownership, whichever page it was on. */
  readonly version: number;
  /** Page 0 only: counts the requests to list shards now (the resharder's). */
  readonly shardSyncRequests: number;
  readonly members: readonly Member[];
  /** What the leader of a very large fleet wants the members of this page to do, in the order of the lease keys. */
  readonly assignments?: readonly Assignment[];
  /** Page 0 only: present while the leader assigns. */
  readonly size?: FleetSize;
  /** What is wrong with entries that cannot be read, one line each. Their workers write them anew; no other is touched. */
  readonly unreadable?: readonly string[];
}

/** 12 members with 40-character ids, and what the row has beside them, are about 1,000 bytes. */
export const MEMBERS_PER_ROW = 12;

/** KCL's `failoverTimeMillis`: two heartbeats may fail. */
export const DEFAULT_FAILOVER_TIME_MILLIS = 10_000;
