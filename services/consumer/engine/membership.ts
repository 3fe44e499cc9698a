/**
 * This worker's entry in the fleet rows: joining, beating, leaving, and whether its own heartbeat is fresh.
 *
 * M1: `isFresh` is judged from when the last successful beat was *sent*, so it ends before anybody else, who saw
 *     that beat later, can call this worker dead.
 * M2: a superseded entry (declared dead, or replaced by a namesake) is never written again; the coordinator
 *     drops every lease and joins as a new incarnation.
 */
import { type FleetPage, MEMBERS_PER_PAGE, type Member, type MemberState } from "../core/member.ts";
import type { LeaseStore } from "../ports/lease-store.ts";

/** 1,000 pages are 12,000 workers: far beyond what one lease table is asked to coordinate. */
const MAX_PAGES = 1_000;

export interface MembershipOptions {
  readonly workerId: string;
  readonly steals: boolean;
  readonly failoverTimeMillis: number;
  readonly newIncarnation: () => string;
  readonly monotonicMillis: () => number;
}

export class Membership {
  readonly #store: LeaseStore;
  readonly #options: MembershipOptions;
  #member: Member;
  #page = 0;
  #heartbeat = 0;
  #sentMillis = Number.NEGATIVE_INFINITY;

  constructor(store: LeaseStore, options: MembershipOptions) {
    this.#store = store;
    this.#options = options;
    this.#member = this.#newMember();
  }

  get member(): Member {
    return this.#member;
  }

  get page(): number {
    return this.#page;
  }

  /** When the last beat that succeeded was sent (monotonic). */
  get sentMillis(): number {
    return this.#sentMillis;
  }

  isFresh(nowMillis: number): boolean {
    return nowMillis - this.#sentMillis < this.#options.failoverTimeMillis;
  }

  /** Takes the first place with room (or one's namesake's), as a new incarnation. */
  async join(): Promise<FleetPage> {
    this.#member = this.#newMember();
    for (let page = 0; page < MAX_PAGES; page++) {
      const seen = await this.#store.readFleet(page, { consistent: true });
      const namesake = seen?.members.some((m) => m.workerId === this.#member.workerId) ?? false;
      if (seen !== undefined && !namesake && seen.members.length >= MEMBERS_PER_PAGE) continue;
      const sentMillis = this.#options.monotonicMillis();
      const outcome = await this.#store.join(page, this.#member);
      if (outcome.kind === "full") continue;
      this.#page = page;
      this.#sentMillis = sentMillis;
      return outcome.page;
    }
    throw new Error(
      `the fleet has more than ${MAX_PAGES * MEMBERS_PER_PAGE} members: remove dead entries from the lease table`,
    );
  }

  /** Writes the entry anew, with `change`. @param bump also move the generation, so that everybody scans. */
  async beat(
    change: { readonly state?: MemberState; readonly maxLeases?: number | undefined },
    bump: boolean,
  ): Promise<FleetPage | "superseded"> {
    // Counted up even when the write fails: it may have happened, and the next one must still be seen to move.
    this.#heartbeat += 1;
    const next: Member = { ...this.#member, ...change, heartbeat: this.#heartbeat };
    const sentMillis = this.#options.monotonicMillis();
    const outcome = await this.#store.beat(this.#page, next, { bump });
    if (outcome.kind === "superseded") return "superseded";
    this.#member = next;
    this.#sentMillis = sentMillis;
    return outcome.page;
  }

  async leave(): Promise<void> {
    await this.#store.leave(this.#page, this.#member);
  }

  #newMember(): Member {
    return {
      workerId: this.#options.workerId,
      incarnation: this.#options.newIncarnation(),
      heartbeat: 0,
      state: "joining",
      maxLeases: undefined,
      steals: this.#options.steals,
    };
  }
}
