/**
 * Polls the fleet: writes this worker's heartbeat, reads fleet rows and, when they show a change, scans the
 * lease table.
 *
 * Owns: the membership and the fleet cache. Never does: decide what follows from them.
 *
 * W1: the response to a heartbeat is the whole fleet row. So a heartbeat is also a poll of that row.
 * W2: the table is scanned when the fleet version has moved or the cache is distrusted. While the version is
 *     unchanged, it is scanned only for leases of non-member owners and for rows that cannot be read.
 * W3: heartbeats continue during a scan, however long the scan takes.
 * W4: a member can expire only while this worker writes its own heartbeats. While they fail, no time counts
 *     as observed. After a longer gap, observation starts again from zero. What stops this worker from
 *     writing may also stop the other workers.
 * W5: a block of this worker's event loop is not a gap in the sense of W4. Otherwise a busy fleet with
 *     synchronous handlers would not detect a crash. Only a part of the time with a long block counts as
 *     observed: the whole host may have paused, with all workers on it.
 * W6: in a large fleet, the scans of the workers are spread over time. In a very large fleet, only the leader
 *     and its deputy scan and assign leases (`core/assignments.ts`). The other workers scan rarely, in case
 *     both fail.
 * W7: members may publish different failover times. Heartbeats and polls follow the shortest one, so that W4
 *     holds for every member: a worker with long pauses between its heartbeats would notice an outage too
 *     late.
 */
import { isNotable } from "../core/block-cover.ts";
import type { Lease } from "../core/lease.ts";
import type { FleetRow, Member } from "../core/member.ts";
import {
  heartbeatSlackMillis,
  type PollIntervals,
  pollIntervalsOf,
  type Role,
  shortestFailoverMillis,
} from "../core/poll-intervals.ts";
import { type Deferred, deferred } from "./deferred.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import { type ErrorReports, errorClassIn } from "./error-reports.ts";
import { FleetCache, OBSERVING_PART } from "./fleet-cache.ts";
import type { LoopWatch } from "./loop-watch.ts";
import { type HeartbeatResult, Membership } from "./membership.ts";
import { RowPolls } from "./row-polls.ts";
import { ScanSchedule } from "./scan-schedule.ts";
import { TableListing } from "./table-listing.ts";

/** Pause after a heartbeat that failed. */
const HEARTBEAT_RETRY_MILLIS = 250;
/**
 * W5. Part of the failover time that counts as observed in an interval with a long block. A third may have
 * passed since the member's last heartbeat; then more than a third is left for its next one.
 */
const BLOCKED_GAP_PART = 1 / 4;

export interface DesiredEntry {
  readonly state: "joining" | "active" | "leaving";
  readonly maxLeases: number | undefined;
  /** How many leases this worker holds. Undefined unless the leader assigns. */
  readonly leases: number | undefined;
}

/** `dead`: other workers marked this worker dead. `replaced`: another process has its id. */
export type Poll = { readonly kind: "seen" } | Exclude<HeartbeatResult, { kind: "ok" } | { kind: "removed" }>;

const SEEN: Poll = { kind: "seen" };

export class FleetPoller {
  readonly cache: FleetCache;
  readonly membership: Membership;
  readonly #ports: Ports;
  readonly #failoverTimeMillis: number;
  readonly #loop: LoopWatch;
  #freshness: Deferred = deferred();
  #closed = false;
  #bumpWanted = false;
  /** By fleet row: the unreadable entries that were last logged. */
  readonly #unreadableEntries = new Map<number, string>();
  /** The last heartbeat failed. */
  #heartbeatFails = false;
  readonly #scanSchedule: ScanSchedule;
  readonly #rowPolls: RowPolls;
  readonly #listing: TableListing;
  #scanning: Promise<void> = Promise.resolve();
  #hasJustScanned = false;

  constructor(
    ports: Ports,
    options: Pick<EngineOptions, "workerId" | "enableLeaseStealing" | "failoverTimeMillis">,
    loop: LoopWatch,
  ) {
    this.#ports = ports;
    this.#listing = new TableListing(ports);
    this.#loop = loop;
    this.#failoverTimeMillis = options.failoverTimeMillis;
    this.cache = new FleetCache(options.failoverTimeMillis * OBSERVING_PART);
    const { random } = ports;
    const { failoverTimeMillis } = options;
    this.#scanSchedule = new ScanSchedule({ cache: this.cache, random, failoverTimeMillis });
    this.#rowPolls = new RowPolls(this.cache, options.failoverTimeMillis);
    this.membership = new Membership(ports.store, {
      workerId: options.workerId,
      steals: options.enableLeaseStealing,
      failoverTimeMillis: options.failoverTimeMillis,
      published: () => loop.published,
      newIncarnation: ports.newIncarnation,
      monotonicMillis: () => this.#now(),
    });
  }

  /** The table is as new as the newest fleet version read. */
  get isCurrent(): boolean {
    return this.cache.scannedFleetVersion === this.cache.version;
  }

  /**
   * C1. Whether this worker may plan now. Where the leader assigns, the fleet changes all the time, so each
   * reader of the table plans from the scan it has just made. The writes stay conditional, and the next scan
   * is about a second away. A worker that follows plans only right after a scan.
   */
  get mayPlan(): boolean {
    if (this.role === "reads") return this.isCurrent;
    return this.#hasJustScanned || (this.role !== "follows" && this.isCurrent);
  }

  get intervals(): PollIntervals {
    const { size, table } = this.cache;
    // Where the leader assigns, this worker knows only a part of the fleet.
    const workers = Math.max(1, size?.workers ?? 0, this.cache.livingMembers());
    const leases = Math.max(size?.shards ?? 0, table.size);
    const hurries = this.membership.member.state !== "active";
    const failoverMillis = shortestFailoverMillis(this.cache.fleetRows.values(), this.#failoverTimeMillis);
    return pollIntervalsOf({ workers, leases }, failoverMillis, this.role, hurries);
  }

  get leads(): boolean {
    return this.leaders[0] === this.membership.member.workerId;
  }

  get role(): Role {
    if (this.cache.size === undefined) return "reads";
    const rank = this.leaders.indexOf(this.membership.member.workerId);
    if (rank === 0) return "leads";
    return rank === 1 ? "stands-in" : "follows";
  }

  get leaders(): readonly string[] {
    return this.cache.leaders(this.membership.fleetRow);
  }

  /** The next poll is a heartbeat that moves the fleet version, so that all workers scan the table. */
  wantBump(): void {
    this.#bumpWanted = true;
  }

  /** The cache may be wrong: scan the table at the next poll. */
  distrust(): void {
    this.cache.scannedFleetVersion = -1;
  }

  /**
   * Undefined if there is no such row, and while the cache may be wrong: a parent whose row was removed must
   * not count as present.
   */
  row(leaseKey: string): Lease | undefined {
    return this.cache.scannedFleetVersion < 0 ? undefined : this.cache.table.get(leaseKey);
  }

  /** W4. Time since this worker's last heartbeat, less the blocks of its event loop. */
  get #unobservedMillis(): number {
    const { sentMillis } = this.membership;
    return this.#now() - sentMillis - this.#loop.blockedSince(sentMillis);
  }

  /** W4. Whether members can expire at this moment. */
  get isObserving(): boolean {
    return this.#unobservedMillis <= this.#failoverTimeMillis * OBSERVING_PART;
  }

  /**
   * W4, W7.
   * @param leastMillis no member expires in less time than this
   */
  expiredMembers(leastMillis: number): ReadonlySet<string> {
    if (!this.isObserving) return new Set();
    return this.cache.expiredMembers(leastMillis, this.#unobservedMillis / OBSERVING_PART);
  }

  async join(): Promise<void> {
    this.cache.reset();
    this.#scanning = Promise.resolve();
    const joined = await this.membership.join();
    for (const fleetRow of this.membership.takeRowsMet()) this.#sawRow(fleetRow, "eventual");
    this.#sawRow(joined.fleetRow, "consistent");
    if (joined.bumpError !== undefined) this.wantBump();
    if (this.membership.fleetRow !== 0) {
      const first = await this.#ports.store.readFleet(0, { consistent: true });
      if (first) this.#sawRow(first, "consistent");
    }
    this.#resolveFreshness();
  }

  /**
   * Sends a heartbeat when one is due or `desired` differs from the entry. Then reads the fleet rows that
   * this worker polls.
   */
  async #poll(desired: DesiredEntry, intervals: PollIntervals, isBusy: boolean): Promise<Poll> {
    const { member } = this.membership;
    const differs = desired.maxLeases !== member.maxLeases || this.membership.isTrialOver;
    // A new cap and the end of a trial are in the fleet row only, so no worker needs a scan to learn of them.
    // All workers read row 0; a change in any other row needs a bump. A leader that assigns reads all rows in
    // turn.
    const capBumps = differs && this.membership.fleetRow > 0 && this.role === "reads";
    const bump = this.#bumpWanted || desired.state !== member.state || capBumps;
    const sinceHeartbeatMillis = this.#now() - this.membership.sentMillis;
    const heartbeats =
      bump ||
      differs ||
      sinceHeartbeatMillis >= intervals.heartbeatMillis - heartbeatSlackMillis(intervals, isBusy);
    const everyMillis = isBusy ? intervals.busyMillis : intervals.idleMillis;
    if (heartbeats) {
      const written = await this.#sendHeartbeat(desired, bump);
      if (written.kind !== "seen") return written;
    }
    const { leads, role } = this;
    const rowPolls = {
      ownRow: this.membership.fleetRow,
      hasSentHeartbeat: heartbeats,
      everyMillis,
      leads,
      role,
    };
    for (const fleetRow of this.#rowPolls.due(rowPolls, this.#now())) {
      this.#rowPolls.reads(fleetRow, this.#now());
      const seen = await this.#ports.store.readFleet(fleetRow);
      if (seen !== undefined) this.#sawRow(seen, "eventual");
      // An empty response may come from something between this worker and DynamoDB. If the row had members, a
      // scan decides.
      else if (this.cache.fleetRows.get(fleetRow)?.members.length) this.distrust();
      else this.cache.rowGone(fleetRow);
    }
    return SEEN;
  }

  /** Polls, and then scans the table if a scan is due. */
  async pollAndScan(desired: DesiredEntry, intervals: PollIntervals, isBusy: boolean): Promise<Poll> {
    const seen = await this.#poll(desired, intervals, isBusy);
    return seen.kind === "seen" ? this.#scanWhenDue(desired, intervals) : seen;
  }

  async #scanWhenDue(desired: DesiredEntry, intervals: PollIntervals): Promise<Poll> {
    this.#hasJustScanned = false;
    if (!this.#scanSchedule.takeDue(intervals, this.role, this.isCurrent, this.#now())) return SEEN;
    const seen = await this.#heartbeatDuring(this.#scanAgainIfOutrun(intervals), desired);
    this.#hasJustScanned = seen.kind === "seen";
    return seen;
  }

  /**
   * Scans once more, without waiting for the next poll, if the fleet changed during the scan: donors are
   * handing over and wait for no other worker. Only where a scan is cheap.
   */
  async #scanAgainIfOutrun({ scanSpreadMillis }: PollIntervals): Promise<void> {
    await this.scan();
    if (!this.#closed && !this.isCurrent && scanSpreadMillis === 0) await this.scan();
  }

  /**
   * W3. A worker that lost its place in the fleet does not wait for the scan: its result belongs to the old
   * incarnation (V4).
   */
  async #heartbeatDuring(scan: Promise<void>, desired: DesiredEntry): Promise<Poll> {
    let failure: unknown;
    const seen = await this.#heartbeatUntil(scan, desired, (error) => {
      failure = error;
    });
    if (seen.kind !== "seen") return seen;
    await scan;
    if (failure !== undefined && this.#heartbeatFails) throw failure;
    return seen;
  }

  /**
   * W3, for a joiner that is still looking up where the application began. Resolves when `work` settles or
   * the place is lost.
   */
  async heartbeatWhile(
    work: Promise<unknown>,
    desired: DesiredEntry,
    reports: Pick<ErrorReports, "failed">,
  ): Promise<void> {
    await this.#heartbeatUntil(work, desired, (error) =>
      reports.failed("lease table", errorClassIn(error), error),
    );
  }

  /** @param failed called when a heartbeat fails; the heartbeat is sent again */
  async #heartbeatUntil(
    work: Promise<unknown>,
    desired: DesiredEntry,
    failed: (error: unknown) => void,
  ): Promise<Poll> {
    const over = new AbortController();
    const end = () => over.abort();
    void work.then(end, end);
    for (let pauseMillis = 0; ; ) {
      const untilHeartbeatMillis =
        this.intervals.heartbeatMillis - (this.#now() - this.membership.sentMillis);
      await this.#ports.clock.sleep(Math.max(pauseMillis, untilHeartbeatMillis), over.signal);
      if (over.signal.aborted) return SEEN;
      try {
        const seen = await this.#sendHeartbeat(desired, this.#bumpWanted);
        if (seen.kind !== "seen") return seen;
        pauseMillis = 0;
      } catch (error) {
        failed(error);
        pauseMillis = HEARTBEAT_RETRY_MILLIS;
      }
    }
  }

  /**
   * Scans run one after another: a scan must not overwrite rows that were written during a later scan (V1).
   */
  scan(): Promise<void> {
    const scan = this.#scanning.then(() => this.#scanOnce());
    this.#scanning = scan.catch(() => undefined);
    return scan;
  }

  async #scanOnce(): Promise<void> {
    const { version, incarnation } = this.cache;
    const before = this.cache.unreadable;
    this.cache.scanStarts();
    const listing = await this.#listing.read(this.#closed);
    if (this.cache.incarnation !== incarnation) return;
    this.cache.scanned(listing, version, this.#now());
    // A worker that follows scans rarely: the other workers know already what it finds.
    const isChange = this.#listing.report(before, this.cache) && this.role !== "follows";
    if (isChange) this.wantBump();
  }

  rowOf(member: Member): number {
    return this.cache.rowOf(member) ?? this.membership.fleetRow;
  }

  /**
   * Resolves when this worker's heartbeat is fresh (M1) and none is owed after a block (B2), or when `signal`
   * aborts.
   */
  async whenFresh(signal: AbortSignal): Promise<void> {
    const waits = () =>
      !this.membership.isFresh(this.#now()) || this.#loop.owesHeartbeat(this.membership.sentMillis);
    while (!signal.aborted && !this.#closed && waits()) {
      const aborted = deferred();
      signal.addEventListener("abort", aborted.open, { once: true });
      await Promise.race([this.#freshness.promise, aborted.promise]);
      signal.removeEventListener("abort", aborted.open);
    }
  }

  /** Ends every `whenFresh`. */
  close(): void {
    this.#closed = true;
    this.#resolveFreshness();
  }

  async #sendHeartbeat(desired: DesiredEntry, bump: boolean): Promise<Poll> {
    this.#bumpWanted = false;
    const before = this.cache.version;
    const unobservedMillis = this.#unobservedMillis;
    const wasObserving = this.isObserving;
    const sentBefore = this.membership.sentMillis;
    const written = await this.membership.sendHeartbeat(desired, bump).catch((error: unknown) => {
      this.#bumpWanted ||= bump;
      this.#heartbeatFails = true;
      throw error;
    });
    // When the stop budget is spent, the entry is removed, perhaps while a heartbeat is in flight.
    if (written.kind !== "ok" && this.#closed) return SEEN;
    if (written.kind === "removed") return this.#restore();
    if (written.kind !== "ok") return written;
    const { fleetRow } = written;
    if (!wasObserving) this.cache.restartObservation();
    else if (isNotable(this.#loop.blockedSince(sentBefore), this.#failoverTimeMillis))
      this.cache.interruptObservation(this.#failoverTimeMillis * BLOCKED_GAP_PART);
    this.cache.restartObservationBelow(unobservedMillis / OBSERVING_PART);
    this.#sawRow(fleetRow, "consistent");
    this.#heartbeatFails = false;
    // This worker need not scan because of its own bump.
    const isOwnChange = bump && fleetRow.version === before + 1;
    if (isOwnChange && this.cache.scannedFleetVersion === before)
      this.cache.scannedFleetVersion = fleetRow.version;
    this.#resolveFreshness();
    if (written.bumpError !== undefined) {
      this.#bumpWanted = true;
      throw written.bumpError;
    }
    return SEEN;
  }

  /**
   * The entry, or its whole fleet row, was removed by hand. No other worker holds a lease that this worker
   * holds (M2).
   */
  async #restore(): Promise<Poll> {
    const { fleetRow, bumpError } = await this.membership.restore();
    if (bumpError !== undefined) this.wantBump();
    this.#ports.logger.error(
      { fleetRow: fleetRow.number },
      "this worker's entry was removed from its fleet row by another hand: it is written again, and the leases are kept",
    );
    this.cache.restartObservation();
    this.#sawRow(fleetRow, "consistent");
    this.distrust();
    this.#resolveFreshness();
    return SEEN;
  }

  #sawRow(fleetRow: FleetRow, consistency: "consistent" | "eventual"): void {
    if (this.#heartbeatFails) this.cache.interruptObservation();
    if (this.cache.sawRow(fleetRow, this.#now(), consistency) === "set-back")
      this.#ports.logger.error(
        { fleetRow: fleetRow.number, version: fleetRow.version },
        "the fleet row's version went back (deleted or edited by hand?): the lease table is read anew",
      );
    const problems = fleetRow.unreadable?.join("; ") ?? "";
    if (problems !== "" && problems !== this.#unreadableEntries.get(fleetRow.number))
      this.#ports.logger.error(
        { fleetRow: fleetRow.number, problems },
        "entries of a fleet row cannot be read: their workers count as gone until they write them anew",
      );
    this.#unreadableEntries.set(fleetRow.number, problems);
  }

  #resolveFreshness(): void {
    this.#freshness.open();
    this.#freshness = deferred();
  }

  #now(): number {
    return this.#ports.clock.monotonicMillis();
  }
}
