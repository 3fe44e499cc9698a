/**
 * This worker's entry in the fleet rows: joining, heartbeats, leaving, and whether its own heartbeat is fresh.
 *
 * M1: `isFresh` is judged from when the last successful heartbeat was *sent*, and by the failover time that it carried,
 *     so it ends before any other worker, which saw that heartbeat later, can call this one dead.
 *     A worker that has had no answer for two fifths of that time sends its heartbeat under the same number from then on: one that
 *     hears nothing, and reads nothing, stands still for the others, however many of its writes arrive. Before that the
 *     number moves on: where answers are lost for all, those that are heard now and then must not look dead. The time of
 *     a heartbeat is that of the first sending of its number.
 * M2: an entry that was marked dead or replaced is never written again; the coordinator drops every lease and joins as a
 *     new incarnation. An entry that was removed while its heartbeat is fresh was removed by hand: it is restored.
 * M3: an entry says that its worker is young (`core/trial.ts`) from the process's first join on, however often it rejoins;
 *     one that is leaving does not: what ends then has not died.
 */
import { type FleetRow, MEMBERS_PER_ROW, type Member, type MemberState } from "../core/member.ts";
import { youngMillis } from "../core/trial.ts";
import type { LeaseStore, Written } from "../ports/lease-store.ts";

/** 1,000 pages are 12,000 workers: far beyond what one lease table is asked to coordinate. */
const MAX_FLEET_ROWS = 1_000;
/** Joins without an answer that may still be in the rows. */
const INCARNATIONS_KEPT = 16;
/** Later than this part of the failover time, others may have marked an entry dead and removed it. */
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
  /** `dead`: marked dead, or removed after that. */
  | { readonly kind: "dead" }
  /** The entry was removed although this worker is well. */
  | { readonly kind: "removed" }
  /** Another process has the worker id. */
  | { readonly kind: "replaced"; readonly by: Member };

/** M1. Of the failover time. */
const UNANSWERED_PART = 0.4;

export class Membership {
  readonly #store: LeaseStore;
  readonly #options: MembershipOptions;
  /** Of this process: an entry with one of them is no other's, whatever became of the answer to its join. */
  readonly #incarnations = new Set<string>();
  #member: Member;
  #fleetRow = 0;
  /** Where the last look-up found a place, for the join that follows it. */
  #place: number | undefined;
  /** Fleet rows that the last look-up read. */
  #rowsMet: readonly FleetRow[] = [];
  #heartbeat = 0;
  /** M3. How many before this process died young, in a row, and when it first joined. */
  #earlyDeaths = 0;
  #joinedMillis: number | undefined;
  /** When the first of the heartbeats was sent that have had no answer. */
  #unansweredSinceMillis: number | undefined;
  /** When the number of the last one was first sent. */
  #numberedMillis = Number.NEGATIVE_INFINITY;
  #sentMillis = Number.NEGATIVE_INFINITY;
  /** M1. The least that the last heartbeat and those without an answer after it have carried: each may have happened. */
  #freshForMillis = 0;

  constructor(store: LeaseStore, options: MembershipOptions) {
    this.#store = store;
    this.#options = options;
    this.#member = this.#newMember();
  }

  get member(): Member {
    return this.#member;
  }

  /** To people: one that was marked dead is on its way back. */
  get stateShown(): Exclude<MemberState, "dead"> {
    const { state } = this.#member;
    return state === "dead" ? "joining" : state;
  }

  get fleetRow(): number {
    return this.#fleetRow;
  }

  /** When the last heartbeat that succeeded was sent (monotonic). */
  get sentMillis(): number {
    return this.#sentMillis;
  }

  isFresh(nowMillis: number): boolean {
    return nowMillis - this.#sentMillis < this.#freshForMillis;
  }

  /** M3. Before the first join: how many before this process died young, in a row. */
  follows(earlyDeaths: number): void {
    this.#earlyDeaths = earlyDeaths;
  }

  /** M3. The entry still says that this worker is on trial, and it has lived long enough. */
  get isTrialOver(): boolean {
    return (this.#member.earlyDeaths ?? 0) > 0 && !this.#isYoung;
  }

  isOwn({ incarnation }: Member): boolean {
    return this.#incarnations.has(incarnation);
  }

  /** The entry of this worker id, if any, the first fleet row with room, and all entries met on the way. Strongly consistent. */
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
      // Two at a time: most fleets have one row, and it takes the next one to know.
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

  /** Where the leader assigns: a joiner does not read the table, and knows the fleet from its look-up. */
  takeRowsMet(): readonly FleetRow[] {
    const fleetRows = this.#rowsMet[0]?.size === undefined ? [] : this.#rowsMet;
    this.#rowsMet = [];
    return fleetRows;
  }

  #found<T extends { readonly fleetRow: number }>(place: T): T {
    this.#place = place.fleetRow;
    return place;
  }

  /** Takes the first place with room (or that of an earlier entry of this id), as a new incarnation. */
  async join(): Promise<Written> {
    this.#member = this.#newMember();
    this.#unansweredSinceMillis = undefined;
    return this.#enter(this.#member);
  }

  /** Writes the entry again as it was: it was removed by hand. */
  restore(): Promise<Written> {
    this.#heartbeat += 1;
    this.#unansweredSinceMillis = undefined;
    return this.#enter(this.#aged({ ...this.#member, heartbeat: this.#heartbeat }));
  }

  /** Writes the entry anew, with `change`. @param bump also move the generation, so that every worker scans. */
  async sendHeartbeat(change: EntryChange, bump: boolean): Promise<HeartbeatResult> {
    const now = this.#options.monotonicMillis();
    this.#unansweredSinceMillis ??= now;
    if (now - this.#unansweredSinceMillis < UNANSWERED_PART * this.#member.failoverTimeMillis) {
      this.#heartbeat += 1;
      this.#numberedMillis = now;
    }
    const sentMillis = this.#numberedMillis;
    // Computed here, not by the caller: a heartbeat asked for before a block must publish a time that covers the block.
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

  /** A higher heartbeat than any of this process was written by hand: the next one is higher. */
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
