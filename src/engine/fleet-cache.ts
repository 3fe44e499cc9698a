/**
 * What this worker knows of the fleet: the rows as last read, merged with its own writes. For each heartbeat
 * and each lease of a non-member owner, it also measures how long the value has not changed, on this worker's
 * own clock.
 *
 * V1: rows only move forward. A read that began before one of this worker's writes ended cannot undo that
 *     write: the row with the higher counter wins, and every write increments the counter.
 * V2: `scannedFleetVersion` is the fleet version read *before* the scan began. A change during the scan
 *     therefore causes another scan.
 * V3: the fleet version only moves forward, unless the fleet row was deleted or set back by hand. A strongly
 *     consistent read proves that at once. Eventually consistent reads may be stale, and are believed when
 *     they persist.
 * V4: the result of a scan counts only for the incarnation that began it.
 */
import { leadersAmong, leadingRow } from "../core/leaders.ts";
import { actualOwner, countsByOwner, isEnded, type Lease } from "../core/lease.ts";
import type { FleetRow, FleetSize, Member } from "../core/member.ts";
import { isExpired, isObservedInFull, type Observations, observe } from "../core/observe.ts";
import { evidenceAmong } from "../core/trial.ts";
import type { LeaseListing } from "../ports/lease-store.ts";

/**
 * W4. Part of the failover time. A heartbeat is due every third of it; this allows one that is late or fails
 * once.
 */
export const OBSERVING_PART = 1 / 2;
/** Longer than an eventually consistent read lags behind. */
const STALE_READ_MILLIS = 2_000;
/** Longer than any hand-over takes. Bounds the memory for workers that come and go within this time. */
const KNOWN_FOR_MILLIS = 600_000;

export class FleetCache {
  readonly table = new Map<string, Lease>();
  readonly fleetRows = new Map<number, FleetRow>();
  /** Fleet rows that were read and do not exist. */
  readonly #goneRows = new Set<number>();
  readonly #memberSigns = new Map<number, Observations>();
  #nonMemberSigns: Observations = new Map();
  /** By incarnation: since when it has been read as joining. */
  readonly #joiningSince = new Map<string, number>();
  /** By incarnation: since when it has been read as dead. */
  readonly #deadSince = new Map<string, number>();
  readonly #maxGapMillis: number;
  /** By fleet row number, or "table": how much of the time until the next read counts as observed. */
  readonly #interrupted = new Map<number | "table", number>();
  /** Since when every read of fleet row 0 has returned a lower fleet version. */
  #lowerSinceMillis: number | undefined;
  /** A refused write or a vanished entry showed a non-member owner that no scan has read yet. */
  #metNonMember = false;
  /** Rows this worker wrote since the current scan began: the scan may have missed these writes. */
  readonly #writtenSinceScan = new Set<string>();
  /** How many times this worker has joined. */
  incarnation = 0;
  version = 0;
  scannedFleetVersion = -1;
  shardSyncRequests = 0;
  /** Rows that the last scan could not read. */
  corrupt: LeaseListing["corrupt"] = [];
  /** False: the newest scan found no application row. */
  hasApplication = true;
  /** Recent members: when each was last read (monotonic), and what its entry contained. */
  readonly #known = new Map<string, KnownMember>();

  /** @param maxGapMillis the most time between two reads that counts as observed */
  constructor(maxGapMillis: number) {
    this.#maxGapMillis = maxGapMillis;
  }

  /** Called when this worker joins again: forgets what the earlier incarnation knew. */
  reset(): void {
    this.incarnation += 1;
    this.table.clear();
    this.fleetRows.clear();
    this.#goneRows.clear();
    this.#memberSigns.clear();
    this.#nonMemberSigns = new Map();
    this.#metNonMember = false;
    this.#writtenSinceScan.clear();
    this.#known.clear();
    this.#interrupted.clear();
    this.#lowerSinceMillis = undefined;
    this.version = 0;
    this.scannedFleetVersion = -1;
    this.hasApplication = true;
    this.shardSyncRequests = 0;
    this.corrupt = [];
  }

  members(): Member[] {
    const newest = new Map<string, Member>();
    for (const fleetRow of this.fleetRows.values()) {
      for (const member of fleetRow.members) {
        // A worker id that joined again on another fleet row leaves a dead entry behind.
        const known = newest.get(member.workerId);
        if (known === undefined || known.state === "dead") newest.set(member.workerId, member);
      }
    }
    return [...newest.values()];
  }

  /** The size of the fleet, present while the leader assigns. */
  get size(): FleetSize | undefined {
    return this.fleetRows.get(0)?.size;
  }

  /** The fleet row whose members lead, or the one that must be read to find out. */
  leadingRow(ownRow: number): ReturnType<typeof leadingRow> {
    return leadingRow(this.fleetRows, this.#goneRows, ownRow);
  }

  /** Ids in the order in which they lead. Empty: this worker does not know yet. */
  leaders(ownRow: number): readonly string[] {
    const fleetRow = this.leadingRow(ownRow);
    return fleetRow === undefined || "unread" in fleetRow ? [] : leadersAmong(fleetRow.members);
  }

  stuckJoiners(millis: number, nowMillis: number): ReadonlySet<string> {
    const joining = this.members().filter(({ state }) => state === "joining");
    const known = new Set(joining.map(({ incarnation }) => incarnation));
    for (const incarnation of this.#joiningSince.keys())
      if (!known.has(incarnation)) this.#joiningSince.delete(incarnation);
    const stuck = joining.filter(
      ({ incarnation }) => nowMillis - (this.#joiningSince.get(incarnation) ?? nowMillis) > millis,
    );
    return new Set(stuck.map(({ workerId }) => workerId));
  }

  /** Keys of the rows that the last scan could not read. */
  get unreadable(): ReadonlySet<string> {
    return new Set(this.corrupt.map(({ leaseKey }) => leaseKey));
  }

  /** Active members below their cap. */
  idsWithRoom(): readonly string[] {
    const loads = countsByOwner(this.table.values());
    return this.members().flatMap(({ workerId, state, maxLeases = Number.POSITIVE_INFINITY }) =>
      state === "active" && (loads.get(workerId) ?? 0) < maxLeases ? [workerId] : [],
    );
  }

  /** Members that are not dead: each of them polls and scans. */
  livingMembers(): number {
    let count = 0;
    for (const { members } of this.fleetRows.values())
      for (const { state } of members) if (state !== "dead") count += 1;
    return count;
  }

  /** The number of the fleet row that contains exactly this entry. */
  rowOf(entry: Member): number | undefined {
    for (const { number: fleetRow, members } of this.fleetRows.values())
      if (members.some((member) => entryKey(member) === entryKey(entry))) return fleetRow;
    return undefined;
  }

  /**
   * V3.
   * @returns "set-back" when the fleet version really went back: the table must be scanned again
   */
  sawRow(
    fleetRow: FleetRow,
    nowMillis: number,
    consistency: "consistent" | "eventual" = "eventual",
  ): "seen" | "set-back" {
    let outcome: "seen" | "set-back" = "seen";
    if (fleetRow.number === 0 && fleetRow.version < this.version) {
      this.#lowerSinceMillis ??= nowMillis;
      const persists = nowMillis - this.#lowerSinceMillis > STALE_READ_MILLIS;
      if (consistency === "eventual" && !persists) return "seen";
      this.scannedFleetVersion = -1;
      outcome = "set-back";
    }
    if (fleetRow.number === 0) this.#lowerSinceMillis = undefined;
    this.#membersVanished(fleetRow.number, fleetRow.members);
    this.fleetRows.set(fleetRow.number, fleetRow);
    this.#goneRows.delete(fleetRow.number);
    for (const { workerId, state, failoverTimeMillis } of fleetRow.members) {
      const mayBeGone = state === "leaving" || state === "dead";
      this.#known.set(workerId, { seenMillis: nowMillis, mayBeGone, failoverTimeMillis });
    }
    if (fleetRow.number === 0) {
      this.version = fleetRow.version;
      this.shardSyncRequests = fleetRow.shardSyncRequests;
    }
    for (const { incarnation, state } of fleetRow.members) {
      if (state === "dead" && !this.#deadSince.has(incarnation)) this.#deadSince.set(incarnation, nowMillis);
      if (state !== "joining") this.#joiningSince.delete(incarnation);
      else if (!this.#joiningSince.has(incarnation)) this.#joiningSince.set(incarnation, nowMillis);
    }
    const signs = fleetRow.members.map((m) => [entryKey(m), `${m.heartbeat}:${m.state}`] as const);
    const gapMillis = this.#gapOf(fleetRow.number);
    // Less time counts for a member with a short failover time: this worker's heartbeats may be too far apart
    // to detect an outage within it.
    const gaps = new Map(fleetRow.members.map((m) => [entryKey(m), m.failoverTimeMillis * OBSERVING_PART]));
    const before = this.#memberSigns.get(fleetRow.number) ?? new Map();
    const gapOf = (key: string) => Math.min(gapMillis, gaps.get(key) ?? gapMillis);
    this.#memberSigns.set(fleetRow.number, observe(before, signs, nowMillis, gapOf));
    return outcome;
  }

  /** Of the time until the next read, at most `countsMillis` counts as observed. */
  interruptObservation(countsMillis = 0): void {
    for (const read of [...this.fleetRows.keys(), "table" as const])
      this.#interrupted.set(read, Math.min(countsMillis, this.#interrupted.get(read) ?? countsMillis));
  }

  /** Restarts observation of the members that publish a shorter failover time than this. */
  restartObservationBelow(failoverTimeMillis: number): void {
    for (const [fleetRow, signs] of this.#memberSigns) {
      const members = this.fleetRows.get(fleetRow)?.members ?? [];
      const below = new Set(members.filter((m) => m.failoverTimeMillis < failoverTimeMillis).map(entryKey));
      this.#memberSigns.set(fleetRow, new Map([...signs].filter(([key]) => !below.has(key))));
    }
  }

  /** Restarts observation: of one fleet row, or of everything. */
  restartObservation(fleetRow?: number): void {
    if (fleetRow !== undefined) {
      this.#memberSigns.delete(fleetRow);
      return;
    }
    this.#memberSigns.clear();
    // The leases of non-member owners must still be observed, and only a scan reads them.
    this.#metNonMember ||= this.#nonMemberSigns.size > 0;
    this.#nonMemberSigns = new Map();
  }

  rowGone(fleetRow: number): void {
    // V3. Row 0 begins again with a low version when its workers write themselves in again: the old one no longer
    // tells which answer is newer (seed 1400354).
    if (fleetRow === 0) this.version = 0;
    this.#membersVanished(fleetRow, []);
    this.fleetRows.delete(fleetRow);
    this.#goneRows.add(fleetRow);
    this.#memberSigns.delete(fleetRow);
  }

  /**
   * A worker removes only its own entry, after it has stopped reading. An entry that vanishes together with
   * one that was not leaving was removed by hand, and its worker may still read (seed 941631).
   */
  #membersVanished(fleetRow: number, now: readonly Member[]): void {
    const still = new Set(now.map(({ workerId }) => workerId));
    const vanished = (this.fleetRows.get(fleetRow)?.members ?? []).filter(
      ({ workerId }) => !still.has(workerId),
    );
    if (!vanished.some(({ state }) => state === "active" || state === "joining")) return;
    // A removal by hand does not move the fleet version. A scan must find the leases of that worker, so that
    // they are observed (seed 965834).
    this.#metNonMember = true;
    for (const { workerId, state } of vanished) {
      const known = this.#known.get(workerId);
      if (state === "leaving" && known !== undefined)
        this.#known.set(workerId, { ...known, mayBeGone: false });
    }
  }

  wrote(lease: Lease): void {
    const known = this.table.get(lease.leaseKey);
    if (known === undefined || known.counter <= lease.counter) this.table.set(lease.leaseKey, lease);
    this.#writtenSinceScan.add(lease.leaseKey);
    // The row has changed: what was observed under its last owner says nothing about the new one
    // (seed 310065).
    const sign = this.#nonMemberSigns.get(lease.leaseKey);
    if (sign !== undefined && sign.token !== signOf(lease)) {
      const others = [...this.#nonMemberSigns].filter(([key]) => key !== lease.leaseKey);
      this.#nonMemberSigns = new Map(others);
    }
    this.#metNonMember ||= this.#isNonMembers(lease, new Set(this.members().map((m) => m.workerId)));
  }

  removed(leaseKey: string): void {
    this.table.delete(leaseKey);
  }

  scanStarts(): void {
    this.#writtenSinceScan.clear();
  }

  scanned(listing: LeaseListing, version: number, nowMillis: number): void {
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
    for (const fleetRow of this.fleetRows.keys())
      if (!listing.fleetRows.some((p) => p.number === fleetRow)) this.rowGone(fleetRow);
    for (const fleetRow of listing.fleetRows) this.sawRow(fleetRow, nowMillis);
    this.corrupt = listing.corrupt;
    this.hasApplication = listing.hasApplication;
    this.scannedFleetVersion = version;
    this.#observeNonMembers(nowMillis);
  }

  /**
   * Members whose heartbeat has not changed for the failover time that each of them published. An entry
   * counts only by its own incarnation: the dead entry that an earlier process left on another fleet row
   * never changes again (seed 358).
   * @param leastMillis no member expires in less time than this
   * @param judgedFromMillis members that publish a shorter failover time than this are left out
   */
  expiredMembers(leastMillis = 0, judgedFromMillis = 0): ReadonlySet<string> {
    const members = this.members().filter((m) => m.failoverTimeMillis >= judgedFromMillis);
    const coverers = members.filter(({ covers, state }) => covers && state !== "dead");
    const covering = Math.max(0, ...coverers.map(({ failoverTimeMillis }) => failoverTimeMillis));
    const isOnTrial = covering > 0 ? this.#onTrial() : new Set<string>();
    const expired = members.filter((member) => {
      const { workerId, failoverTimeMillis } = member;
      const millis = Math.max(leastMillis, failoverTimeMillis, isOnTrial.has(workerId) ? covering : 0);
      return [...this.#memberSigns.values()].some((signs) => {
        const sign = signs.get(entryKey(member));
        return sign !== undefined && isExpired(sign, millis);
      });
    });
    return new Set(expired.map(({ workerId }) => workerId));
  }

  /** Id of a worker that died young and was first read as dead less than `millis` ago (`core/trial.ts`). */
  evidence(millis: number, nowMillis: number): string | undefined {
    const dead = this.members().filter(({ state }) => state === "dead");
    const known = new Set(dead.map(({ incarnation }) => incarnation));
    for (const incarnation of this.#deadSince.keys())
      if (!known.has(incarnation)) this.#deadSince.delete(incarnation);
    const since = ({ incarnation }: Member) => this.#deadSince.get(incarnation) ?? nowMillis;
    return evidenceAmong(dead.filter((member) => nowMillis - since(member) < millis))?.workerId;
  }

  /**
   * Owners of a lease that changed hands since its last checkpoint. Their next batch may be the one that
   * blocked the previous owner's event loop, so they get the longest failover time published to cover such a
   * block.
   */
  #onTrial(): ReadonlySet<string> {
    const moved = [...this.table.values()].filter((lease) => lease.ownerSwitchesSinceCheckpoint > 0);
    return new Set(moved.map((lease) => actualOwner(lease)).filter((owner) => owner !== undefined));
  }

  /**
   * Leases of non-member owners that have expired: the lease was unmoved for the failover time, or its owner
   * left or was marked dead. A member leaves only after it has stopped reading.
   *
   * An entry that vanished while its worker was well was removed by hand. That worker keeps reading and
   * writes its entry again, so its leases are judged by time too.
   */
  expiredLeases(failoverTimeMillis: number): ReadonlySet<string> {
    const silent = new Set<string>();
    for (const [key, sign] of this.#nonMemberSigns) {
      const lease = this.table.get(key);
      const owner = lease && actualOwner(lease);
      const known = owner === undefined ? undefined : this.#known.get(owner);
      const isGone = known?.mayBeGone ?? false;
      // Handed over to a worker that is not a member: it has not taken up the lease, so it does not read the
      // shard.
      const isUntaken = lease?.isPending === true;
      // A worker whose entry was removed by hand keeps the failover time that it published (seed 980738).
      const millis = Math.max(failoverTimeMillis, known?.failoverTimeMillis ?? 0);
      if (isGone || isUntaken || isExpired(sign, millis)) silent.add(key);
    }
    return silent;
  }

  observedLeases(failoverTimeMillis: number): ReadonlySet<string> {
    const inFull = [...this.#nonMemberSigns].filter(([, sign]) => isObservedInFull(sign, failoverTimeMillis));
    return new Set(inFull.map(([key]) => key));
  }

  /**
   * Whether some leases have a non-member owner. Only their own counters show whether it lives, so the table
   * must be scanned again.
   */
  get hasNonMemberLeases(): boolean {
    return this.#nonMemberSigns.size > 0 || this.#metNonMember;
  }

  #isNonMembers(lease: Lease, members: ReadonlySet<string>): boolean {
    const owner = actualOwner(lease);
    return owner !== undefined && !members.has(owner) && !isEnded(lease);
  }

  #observeNonMembers(nowMillis: number): void {
    const members = new Set(this.members().map((m) => m.workerId));
    const ofNonMembers = [...this.table.values()].filter((lease) => this.#isNonMembers(lease, members));
    this.#metNonMember = false;
    // A donor with an old fleet cache may still name a leaver for a while after it left, but not for this
    // long.
    for (const [id, { seenMillis }] of this.#known)
      if (nowMillis - seenMillis > KNOWN_FOR_MILLIS) this.#known.delete(id);
    const signs = ofNonMembers.map((lease) => [lease.leaseKey, signOf(lease)] as const);
    const gapMillis = this.#gapOf("table");
    this.#nonMemberSigns = observe(this.#nonMemberSigns, signs, nowMillis, () => gapMillis);
  }

  #gapOf(read: number | "table"): number {
    const countsMillis = this.#interrupted.get(read);
    this.#interrupted.delete(read);
    return countsMillis ?? this.#maxGapMillis;
  }
}

interface KnownMember {
  readonly seenMillis: number;
  /** The member was leaving or dead. */
  readonly mayBeGone: boolean;
  readonly failoverTimeMillis: number;
}

const signOf = (lease: Lease): string => `${actualOwner(lease)}:${lease.counter}`;

const entryKey = ({ workerId, incarnation }: Member): string => `${workerId} ${incarnation}`;
