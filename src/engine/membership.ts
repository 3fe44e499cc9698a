/**
 * This worker's entry in the fleet rows: joins, sends heartbeats, leaves, and knows whether its own heartbeat
 * is fresh.
 *
 * M1: `isFresh` counts from when the last successful heartbeat was *sent*, by the failover time that it
 *     carried. So it ends before any other worker, which read that heartbeat later, can mark this one dead.
 *     A worker without a response for two fifths of that time repeats the last heartbeat number. A worker
 *     that receives no responses cannot read anything, so the others must find it expired, even if all of its
 *     writes arrive. Before that, the number moves on: if responses are lost for all workers, those that
 *     receive some must not look dead. A heartbeat's time is when its number was first sent.
 * M2: an entry that was marked dead or replaced is never written again. The coordinator drops every lease and
 *     joins as a new incarnation. An entry that is removed while its heartbeat is fresh was removed by hand,
 *     and is restored.
 * M3: an entry says that its worker is young (`core/trial.ts`), counted from the first join of the process,
 *     however often it rejoins. An entry that is leaving does not say so: a worker that stops has not died.
 */
import { type FleetRow, MEMBERS_PER_ROW, type Member, type MemberState } from "../core/member.ts";
import { youngMillis } from "../core/trial.ts";
import type { LeaseStore, Written } from "../ports/lease-store.ts";

/** 1,000 fleet rows are 12,000 workers: far more than one lease table is meant to coordinate. */
const MAX_FLEET_ROWS = 1_000;
/** Incarnations of joins without a response, which may still be in the rows. */
const INCARNATIONS_KEPT = 16;
/** Part of the failover time. After it, other workers may have marked the entry dead and removed it. */
const RESTORABLE_PART = 0.8;

export interface MembershipOptions {
  readonly workerId: string;
  readonly steals: boolean;
  readonly failoverTimeMillis: number;
  /** What an entry publishes (`core/block-cover.ts`). */
  readonly published: () => Required<Pick<Member, "failoverTimeMillis" | "covers">>;
  readonly newIncarnation: () => string;
  readonly monotonicMillis: () => number;
}

export type EntryChange = Partial<Pick<Member, "state" | "maxLeases">> & {
  readonly leases?: number | undefined;
};

export type HeartbeatResult =
  | Written
  /** Marked dead, or removed after that. */
  | { readonly kind: "dead" }
  /** The entry was removed although this worker is well. */
  | { readonly kind: "removed" }
  /** Another process has the worker id. */
  | { readonly kind: "replaced"; readonly by: Member };

/** M1. Part of the failover time. */
const UNANSWERED_PART = 0.4;

export class Membership {
  readonly #store: LeaseStore;
  readonly #options: MembershipOptions;
  /** Incarnations of this process. An entry with one of them is its own, even if the join got no response. */
  readonly #incarnations = new Set<string>();
  #member: Member;
  #fleetRow = 0;
  /** Where the last look-up found a place, for the join that follows it. */
  #place: number | undefined;
  /** Fleet rows that the last look-up read. */
  #rowsMet: readonly FleetRow[] = [];
  #heartbeat = 0;
  /** M3. How many processes before this one died young, in a row; and when this one first joined. */
  #earlyDeaths = 0;
  #joinedMillis: number | undefined;
  /** When the first heartbeat without a response was sent. */
  #unansweredSinceMillis: number | undefined;
  /** When the current heartbeat number was first sent. */
  #numberedMillis = Number.NEGATIVE_INFINITY;
  #sentMillis = Number.NEGATIVE_INFINITY;
  /**
   * M1. The shortest failover time carried by the last heartbeat and by those without a response since: each
   * may have been written.
   */
  #freshForMillis = 0;

  constructor(store: LeaseStore, options: MembershipOptions) {
    this.#store = store;
    this.#options = options;
    this.#member = this.#newMember();
  }

  get member(): Member {
    return this.#member;
  }

  /** For status reports: a worker that was marked dead is about to join again. */
  get stateShown(): Exclude<MemberState, "dead"> {
    const { state } = this.#member;
    return state === "dead" ? "joining" : state;
  }

  get fleetRow(): number {
    return this.#fleetRow;
  }

  /** When the last successful heartbeat was sent (monotonic). */
  get sentMillis(): number {
    return this.#sentMillis;
  }

  isFresh(nowMillis: number): boolean {
    return nowMillis - this.#sentMillis < this.#freshForMillis;
  }

  /** M3. Called before the first join: how many processes before this one died young, in a row. */
  follows(earlyDeaths: number): void {
    this.#earlyDeaths = earlyDeaths;
  }

  /** M3. The entry still says that this worker is on trial, but it has lived long enough. */
  get isTrialOver(): boolean {
    return (this.#member.earlyDeaths ?? 0) > 0 && !this.#isYoung;
  }

  isOwn({ incarnation }: Member): boolean {
    return this.#incarnations.has(incarnation);
  }

  /**
   * Finds the entry of this worker id (if any), the first fleet row with room, and all entries on the way.
   * Strongly consistent.
   */
  async lookUp(): Promise<{
    readonly entry: Member | undefined;
    readonly fleetRow: number;
    readonly met: readonly Member[];
  }> {
    const { workerId } = this.#options;
    const met: Member[] = [];
    const fleetRows: FleetRow[] = [];
    this.#rowsMet = fleetRows;
    let free: number | undefined;
    for (let fleetRow = 0; fleetRow < MAX_FLEET_ROWS; fleetRow += 2) {
      // Two at a time: most fleets have one row, and only reading the next one proves it.
      const pair = await Promise.all(
        [fleetRow, fleetRow + 1].map((number) => this.#store.readFleet(number, { consistent: true })),
      );
      for (const [index, seen] of pair.entries()) {
        met.push(...(seen?.members ?? []));
        if (seen !== undefined) fleetRows.push(seen);
        const entry = seen?.members.find((m) => m.workerId === workerId);
        if (entry !== undefined) return this.#found({ entry, fleetRow: fleetRow + index, met });
        if (seen === undefined || seen.members.length < MEMBERS_PER_ROW) free ??= fleetRow + index;
        // Rows above a missing one are possible (their members left a gap), but a joiner does not need them.
        if (seen === undefined) return this.#found({ entry, fleetRow: free ?? fleetRow + index, met });
      }
    }
    if (free !== undefined) return this.#found({ entry: undefined, fleetRow: free, met });
    throw new Error(
      `the fleet has more than ${MAX_FLEET_ROWS * MEMBERS_PER_ROW} members: remove dead entries from the lease table`,
    );
  }

  /**
   * The fleet rows of the last look-up, where the leader assigns; otherwise none. There a joiner does not
   * scan the table, and learns the fleet from these rows.
   */
  takeRowsMet(): readonly FleetRow[] {
    const fleetRows = this.#rowsMet[0]?.size === undefined ? [] : this.#rowsMet;
    this.#rowsMet = [];
    return fleetRows;
  }

  #found<T extends { readonly fleetRow: number }>(place: T): T {
    this.#place = place.fleetRow;
    return place;
  }

  /**
   * Joins as a new incarnation: at the place of an earlier entry of this id, or at the first place with room.
   */
  async join(): Promise<Written> {
    this.#member = this.#newMember();
    this.#unansweredSinceMillis = undefined;
    return this.#enter(this.#member);
  }

  /** Writes the entry again after it was removed by hand. */
  restore(): Promise<Written> {
    this.#heartbeat += 1;
    this.#unansweredSinceMillis = undefined;
    return this.#enter(this.#aged({ ...this.#member, heartbeat: this.#heartbeat }));
  }

  /**
   * Writes the entry with `change` and the next heartbeat.
   * @param bump also move the fleet version, so that every worker scans
   */
  async sendHeartbeat(change: EntryChange, bump: boolean): Promise<HeartbeatResult> {
    const now = this.#options.monotonicMillis();
    this.#unansweredSinceMillis ??= now;
    if (now - this.#unansweredSinceMillis < UNANSWERED_PART * this.#member.failoverTimeMillis) {
      this.#heartbeat += 1;
      this.#numberedMillis = now;
    }
    const sentMillis = this.#numberedMillis;
    // Computed here, not by the caller: a heartbeat requested before a block must publish a failover time
    // that covers the block.
    const published = this.#options.published();
    const next = this.#aged({ ...this.#member, ...change, ...published, heartbeat: this.#heartbeat });
    this.#freshForMillis = Math.min(this.#freshForMillis, next.failoverTimeMillis);
    const outcome = await this.#store.sendHeartbeat(this.#fleetRow, next, { bump });
    this.#unansweredSinceMillis = undefined;
    if (outcome.kind === "fencedOut") {
      if (this.#isAhead(outcome.entry)) return this.sendHeartbeat(change, bump);
      return this.#fencedOut(outcome.entry);
    }
    this.#member = next;
    this.#freshForMillis = next.failoverTimeMillis;
    this.#sentMillis = sentMillis;
    return outcome;
  }

  async leave(): Promise<void> {
    await this.#store.leave(this.#fleetRow, this.#member);
  }

  async #enter(member: Member): Promise<Written> {
    let fleetRow = this.#place ?? (await this.lookUp()).fleetRow;
    this.#place = undefined;
    for (; fleetRow < MAX_FLEET_ROWS; fleetRow++) {
      const sentMillis = this.#options.monotonicMillis();
      const outcome = await this.#store.join(fleetRow, member);
      if (outcome.kind === "full") continue;
      this.#fleetRow = fleetRow;
      this.#joinedMillis ??= sentMillis;
      this.#member = member;
      this.#freshForMillis = member.failoverTimeMillis;
      this.#sentMillis = sentMillis;
      return outcome;
    }
    throw new Error(`no fleet row below ${MAX_FLEET_ROWS} has room for worker ${member.workerId}`);
  }

  /**
   * The row has a higher heartbeat than this process ever wrote, so it was edited by hand. Continue above it.
   */
  #isAhead(entry: Member | undefined): boolean {
    if (entry === undefined || entry.state === "dead" || entry.heartbeat <= this.#heartbeat) return false;
    if (entry.incarnation !== this.#member.incarnation) return false;
    this.#heartbeat = entry.heartbeat;
    return true;
  }

  #fencedOut(entry: Member | undefined): HeartbeatResult {
    if (entry !== undefined && entry.state !== "dead" && !this.isOwn(entry))
      return { kind: "replaced", by: entry };
    const sinceSentMillis = this.#options.monotonicMillis() - this.#sentMillis;
    const isRestorable = sinceSentMillis < RESTORABLE_PART * this.#member.failoverTimeMillis;
    return entry === undefined && isRestorable ? { kind: "removed" } : { kind: "dead" };
  }

  #newMember(): Member {
    const { workerId, steals, newIncarnation } = this.#options;
    const incarnation = newIncarnation();
    this.#incarnations.add(incarnation);
    const [oldest] = this.#incarnations;
    if (this.#incarnations.size > INCARNATIONS_KEPT) this.#incarnations.delete(oldest!);
    return this.#aged({
      workerId,
      incarnation,
      heartbeat: 0,
      state: "joining" satisfies MemberState,
      maxLeases: undefined,
      steals,
      ...this.#options.published(),
    });
  }

  get #isYoung(): boolean {
    const ageMillis = this.#options.monotonicMillis() - (this.#joinedMillis ?? Number.POSITIVE_INFINITY);
    return ageMillis < youngMillis(this.#earlyDeaths, this.#options.failoverTimeMillis);
  }

  #aged({ earlyDeaths: _, leases, ...rest }: Omit<Member, "leases"> & EntryChange): Member {
    const member = leases === undefined ? rest : { ...rest, leases };
    const isYoung = member.state !== "leaving" && this.#isYoung;
    return isYoung ? { ...member, earlyDeaths: this.#earlyDeaths } : member;
  }
}
