/**
 * What this worker knows of the fleet: the rows as last read, merged with its own writes, and since when each
 * sign of life has not moved on its own clock.
 *
 * V1: rows only move forward. A read that began before one of our writes ended cannot undo it: the row with the
 *     higher counter wins (every write bumps it).
 * V2: `scannedGeneration` is the generation read *before* the scan began: a change during the scan is seen again.
 */
import { actualOwner, isEnded, type Lease } from "../core/lease.ts";
import type { FleetPage, Member } from "../core/member.ts";
import { isSilent, isWatched, type Observation, type Observations, observe } from "../core/observe.ts";
import type { LeaseListing } from "../ports/lease-store.ts";

/** Longer than any hand-over takes; bounds what is remembered by the workers that come and go within it. */
const KNOWN_FOR_MILLIS = 600_000;

export class FleetView {
  readonly table = new Map<string, Lease>();
  readonly pages = new Map<number, FleetPage>();
  readonly #memberSigns = new Map<number, Observations>();
  #foreignSigns = new Map<string, Observation>();
  /** A refused write showed a foreign owner that no scan has seen yet. */
  #metForeigner = false;
  /** Rows this worker wrote since the scan under way began: the scan may have missed them. */
  readonly #writtenSinceScan = new Set<string>();
  generation = 0;
  scannedGeneration = -1;
  shardSyncRequests = 0;
  corrupt: LeaseListing["corrupt"] = [];
  /** Everybody who was a member of late, in a consistent read, and when that was (monotonic). */
  readonly #known = new Map<string, number>();

  /** Joining anew: what an earlier incarnation knew counts no more. */
  reset(): void {
    this.table.clear();
    this.pages.clear();
    this.#memberSigns.clear();
    this.#foreignSigns = new Map();
    this.#metForeigner = false;
    this.#writtenSinceScan.clear();
    this.#known.clear();
    this.generation = 0;
    this.scannedGeneration = -1;
    this.shardSyncRequests = 0;
    this.corrupt = [];
  }

  members(): Member[] {
    const newest = new Map<string, Member>();
    for (const page of this.pages.values()) {
      for (const member of page.members) {
        // A namesake that moved to another page leaves a dead entry behind.
        const known = newest.get(member.workerId);
        if (known === undefined || known.state === "dead") newest.set(member.workerId, member);
      }
    }
    return [...newest.values()];
  }

  sawPage(page: FleetPage, nowMillis: number): void {
    // An eventually consistent look may be older than what a heartbeat's answer already showed.
    if (page.page === 0 && page.generation < this.generation) return;
    this.pages.set(page.page, page);
    if (page.page === 0) {
      this.generation = page.generation;
      this.shardSyncRequests = page.shardSyncRequests;
    }
    const signs = page.members.map((m) => [entryKey(m), `${m.heartbeat}:${m.state}`] as const);
    this.#memberSigns.set(
      page.page,
      observe(this.#memberSigns.get(page.page) ?? new Map(), signs, nowMillis),
    );
  }

  pageGone(page: number): void {
    this.pages.delete(page);
    this.#memberSigns.delete(page);
  }

  wrote(lease: Lease): void {
    const known = this.table.get(lease.leaseKey);
    if (known === undefined || known.counter <= lease.counter) this.table.set(lease.leaseKey, lease);
    this.#writtenSinceScan.add(lease.leaseKey);
    // Somebody else's now, or ours: what was observed of its last owner tells nothing of this one (seed 310065).
    if (this.#foreignSigns.get(lease.leaseKey)?.token !== signOf(lease))
      this.#foreignSigns.delete(lease.leaseKey);
    this.#metForeigner ||= this.#isForeign(lease, new Set(this.members().map((m) => m.workerId)));
  }

  removed(leaseKey: string): void {
    this.table.delete(leaseKey);
  }

  scanStarts(): void {
    this.#writtenSinceScan.clear();
  }

  scanned(listing: LeaseListing, generation: number, nowMillis: number): void {
    const listed = new Set<string>();
    for (const lease of listing.leases) {
      listed.add(lease.leaseKey);
      const known = this.table.get(lease.leaseKey);
      if (
        known === undefined ||
        known.counter <= lease.counter ||
        !this.#writtenSinceScan.has(lease.leaseKey)
      ) {
        this.table.set(lease.leaseKey, lease);
      }
    }
    for (const key of this.table.keys())
      if (!listed.has(key) && !this.#writtenSinceScan.has(key)) this.table.delete(key);
    for (const page of this.pages.keys())
      if (!listing.pages.some((p) => p.page === page)) this.pageGone(page);
    for (const page of listing.pages) this.sawPage(page, nowMillis);
    for (const page of listing.pages)
      for (const member of page.members) this.#known.set(member.workerId, nowMillis);
    this.corrupt = listing.corrupt;
    this.scannedGeneration = generation;
    this.#observeForeign(nowMillis);
  }

  /**
   * Members seen again, unmoved, after the failover time. Pages nobody here looks at tell nothing; nor does the dead
   * entry that a namesake left behind on another page: it never moves again, and says nothing of who lives (seed 358).
   */
  silentMembers(failoverTimeMillis: number): ReadonlySet<string> {
    const silent = new Set(
      [...this.#memberSigns.values()].flatMap((signs) =>
        keysWhere(signs, (seen) => isSilent(seen, failoverTimeMillis)),
      ),
    );
    const members = this.members().filter((member) => silent.has(entryKey(member)));
    return new Set(members.map(({ workerId }) => workerId));
  }

  /**
   * Leases of owners that are no members, unmoved for the failover time; or whose owner was a member and is none any
   * more: members leave only when they have stopped reading, or are dead and buried.
   */
  silentLeases(failoverTimeMillis: number): ReadonlySet<string> {
    const silent = new Set(keysWhere(this.#foreignSigns, (seen) => isSilent(seen, failoverTimeMillis)));
    for (const key of this.#foreignSigns.keys()) {
      const lease = this.table.get(key);
      if (lease !== undefined && this.#known.has(actualOwner(lease) ?? "")) silent.add(key);
    }
    return silent;
  }

  watchedLeases(failoverTimeMillis: number): ReadonlySet<string> {
    return new Set(keysWhere(this.#foreignSigns, (seen) => isWatched(seen, failoverTimeMillis)));
  }

  /** Leases whose owner is no member: only their own counters tell whether somebody lives there, so the table must be read again. */
  get hasForeignLeases(): boolean {
    return this.#foreignSigns.size > 0 || this.#metForeigner;
  }

  #isForeign(lease: Lease, members: ReadonlySet<string>): boolean {
    const owner = actualOwner(lease);
    return owner !== undefined && !members.has(owner) && !isEnded(lease);
  }

  #observeForeign(nowMillis: number): void {
    const members = new Set(this.members().map((m) => m.workerId));
    const foreign = [...this.table.values()].filter((lease) => this.#isForeign(lease, members));
    this.#metForeigner = false;
    // A giver that had not heard of a leaver may name it a while after it left; much later nobody does.
    for (const [id, seenMillis] of this.#known)
      if (nowMillis - seenMillis > KNOWN_FOR_MILLIS) this.#known.delete(id);
    const signs = foreign.map((lease) => [lease.leaseKey, signOf(lease)] as const);
    this.#foreignSigns = new Map(observe(this.#foreignSigns, signs, nowMillis));
  }
}

const signOf = (lease: Lease): string => `${actualOwner(lease)}:${lease.counter}`;

const entryKey = ({ workerId, incarnation }: Member): string => `${workerId} ${incarnation}`;

const keysWhere = (signs: Observations, holds: (seen: Observation) => boolean): string[] =>
  [...signs].filter(([, seen]) => holds(seen)).map(([key]) => key);
