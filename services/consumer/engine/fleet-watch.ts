/**
 * Looking: this worker's heartbeat, the fleet rows and, when they say that something changed, the lease table.
 *
 * Owns: the membership and the view. Never does: decide what follows from them.
 * W1: a heartbeat answers with its whole page, so a beat is a look and no look is made beside it.
 * W2: the table is read when the generation moved, and at no other time but for leases of foreign owners.
 * W3: heartbeats continue while the table is read, however long that takes.
 * W4: silence counts only while this worker writes its own heartbeats. While they fail, no time counts as observed; after
 *     a longer gap it observes from the start. What keeps this worker from writing may keep the others from it too.
 * W5: but a block of its own event loop is no such gap, or a busy fleet with synchronous handlers would notice no crash.
 *     Of the time with such a block only a part counts: a whole host may have stood still, and all its workers with it.
 * W6: the scans of a large fleet take turns. In a very large one only the leader and its deputy scan, and assign
 *     (`core/assignments.ts`); the others scan once in a long while, in case both fail.
 * W7: members may publish unequal failover times. Heartbeats and looks follow the shortest, so that W4 holds by that of
 *     each member: a worker with long pauses between its own heartbeats would not notice an outage in time.
 */
import { isNotable } from "../core/block-cover.ts";
import type { Lease } from "../core/lease.ts";
import type { FleetPage, Member } from "../core/member.ts";
import { beatSlackMillis, type Pace, paceOf, type Role, rhythmMillis } from "../core/pace.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import { type ErrorReports, errorClassIn } from "./error-reports.ts";
import { FleetView, OBSERVING_PART } from "./fleet-view.ts";
import { type Gate, gate } from "./gate.ts";
import type { LoopWatch } from "./loop-watch.ts";
import { type HeartbeatResult, Membership } from "./membership.ts";
import { PageRounds } from "./page-rounds.ts";
import { TableListing } from "./table-listing.ts";

/** After a heartbeat that failed. */
const BEAT_AGAIN_MILLIS = 250;
/** Leases of owners without an entry are read so often: three readings, and a look or two, tell who is silent. */
const FOREIGN_PART = 1 / 3;
/** While a row cannot be read the table is read so often: who repairs it by hand moves no generation. */
const REPAIR_POLL_MILLIS = 3_000;
/** W5. Of the failover time: with a third for the heartbeat before it, more than a third is left to write the next one. */
const BLOCKED_GAP_PART = 1 / 4;

export interface Wish {
  readonly state: "joining" | "active" | "leaving";
  readonly maxLeases: number | undefined;
  /** How many this worker holds; undefined unless the leader assigns. */
  readonly leases: number | undefined;
}

/** `dead`: others marked this worker dead. `replaced`: another process has its id. */
export type Poll = { readonly kind: "seen" } | Exclude<HeartbeatResult, { kind: "ok" } | { kind: "removed" }>;

const SEEN: Poll = { kind: "seen" };

export class FleetWatch {
  readonly view: FleetView;
  readonly membership: Membership;
  readonly #ports: Ports;
  readonly #failoverTimeMillis: number;
  readonly #loop: LoopWatch;
  #freshGate: Gate = gate();
  #closed = false;
  #bumpWanted = false;
  /** By fleet row: what was reported of its entries last. */
  readonly #unreadableEntries = new Map<number, string>();
  /** The last heartbeat failed, and none has succeeded since. */
  #beatFails = false;
  #scannedMillis = Number.NEGATIVE_INFINITY;
  /** W6. Since when a scan is wanted, and this worker's place in the turn, from 0 to 1. Undefined: none is wanted. */
  #scanTurn: { readonly sinceMillis: number; readonly place: number } | undefined;
  readonly #rounds: PageRounds;
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
    this.view = new FleetView(options.failoverTimeMillis * OBSERVING_PART);
    this.#rounds = new PageRounds(this.view, options.failoverTimeMillis);
    this.membership = new Membership(ports.store, {
      workerId: options.workerId,
      steals: options.enableLeaseStealing,
      failoverTimeMillis: options.failoverTimeMillis,
      published: () => loop.published,
      newIncarnation: ports.newIncarnation,
      monotonicMillis: () => this.#now(),
    });
  }

  /** The table is as new as the newest generation seen. */
  get isCurrent(): boolean {
    return this.view.scannedGeneration === this.view.generation;
  }

  /**
   * C1. The fleet of a leader that assigns changes all the time: it plans from what it has just read, whatever has changed
   * meanwhile. The conditions of the writes hold, and the next reading is a second or so away. Who follows plans only then.
   */
  get mayPlan(): boolean {
    if (this.role === "reads") return this.isCurrent;
    return this.#hasJustScanned || (this.role !== "follows" && this.isCurrent);
  }

  get pace(): Pace {
    const { size, table } = this.view;
    // Where the leader assigns, this worker knows only a part of the fleet.
    const workers = Math.max(1, size?.workers ?? 0, this.view.livingMembers());
    const leases = Math.max(size?.shards ?? 0, table.size);
    const hurries = this.membership.member.state !== "active";
    const failoverMillis = rhythmMillis(this.view.pages.values(), this.#failoverTimeMillis);
    return paceOf({ workers, leases }, failoverMillis, this.role, hurries);
  }

  get leads(): boolean {
    return this.leaders[0] === this.membership.member.workerId;
  }

  get role(): Role {
    if (this.view.size === undefined) return "reads";
    const rank = this.leaders.indexOf(this.membership.member.workerId);
    if (rank === 0) return "leads";
    return rank === 1 ? "stands-in" : "follows";
  }

  get leaders(): readonly string[] {
    return this.view.leaders(this.membership.page);
  }

  /** The next look is a heartbeat that tells everybody to read the table. */
  wantBump(): void {
    this.#bumpWanted = true;
  }

  /** What is known may be wrong: read the table at the next look. */
  distrust(): void {
    this.view.scannedGeneration = -1;
  }

  /** Undefined also while what is known may be wrong: a parent whose row is gone must not pass for one that is there. */
  row(leaseKey: string): Lease | undefined {
    return this.view.scannedGeneration < 0 ? undefined : this.view.table.get(leaseKey);
  }

  /** W4. Without a heartbeat of this worker, and without a block of its event loop. */
  get #unobservedMillis(): number {
    const { sentMillis } = this.membership;
    return this.#now() - sentMillis - this.#loop.blockedSince(sentMillis);
  }

  /** W4. Whether silence counts at this moment. */
  get isObserving(): boolean {
    return this.#unobservedMillis <= this.#failoverTimeMillis * OBSERVING_PART;
  }

  /** W4, W7. @param leastMillis no member is judged by less */
  silentMembers(leastMillis: number): ReadonlySet<string> {
    if (!this.isObserving) return new Set();
    return this.view.silentMembers(leastMillis, this.#unobservedMillis / OBSERVING_PART);
  }

  async join(): Promise<void> {
    this.view.reset();
    this.#scanning = Promise.resolve();
    const joined = await this.membership.join();
    for (const page of this.membership.takePagesMet()) this.#sawPage(page, "eventual");
    this.#sawPage(joined.page, "consistent");
    if (joined.bumpError !== undefined) this.wantBump();
    if (this.membership.page !== 0) {
      const first = await this.#ports.store.readFleet(0, { consistent: true });
      if (first) this.#sawPage(first, "consistent");
    }
    this.#openFreshGate();
  }

  /** Beats when it is due or `wish` differs from the entry, and reads the pages this worker watches. */
  async #look(wish: Wish, pace: Pace, isBusy: boolean): Promise<Poll> {
    const { member } = this.membership;
    const differs = wish.maxLeases !== member.maxLeases || this.membership.isTrialOver;
    // A new cap, or the end of a trial, is read by all with fleet row 0, and nothing of it is in the table: only from another row it needs a bump.
    // A leader that assigns reads all rows in turn.
    const capBumps = differs && this.membership.page > 0 && this.role === "reads";
    const bump = this.#bumpWanted || wish.state !== member.state || capBumps;
    const sinceBeatMillis = this.#now() - this.membership.sentMillis;
    const beats = bump || differs || sinceBeatMillis >= pace.beatMillis - beatSlackMillis(pace, isBusy);
    const everyMillis = isBusy ? pace.busyMillis : pace.idleMillis;
    if (beats) {
      const beaten = await this.#beat(wish, bump);
      if (beaten.kind !== "seen") return beaten;
    }
    const { leads, role } = this;
    const rounds = { ownPage: this.membership.page, hasBeaten: beats, everyMillis, leads, role };
    for (const page of this.#rounds.due(rounds, this.#now())) {
      this.#rounds.reads(page, this.#now());
      const seen = await this.#ports.store.readFleet(page);
      if (seen !== undefined) this.#sawPage(seen, "eventual");
      // An answer without the row may be an empty one of something between. A scan counts what it brings.
      else if (this.view.pages.get(page)?.members.length) this.distrust();
      else this.view.pageGone(page);
    }
    return SEEN;
  }

  /** A look, and then the table if it is this worker's turn to read it. */
  async lookAndScan(wish: Wish, pace: Pace, isBusy: boolean): Promise<Poll> {
    const seen = await this.#look(wish, pace, isBusy);
    return seen.kind === "seen" ? this.#scanWhenDue(wish, pace) : seen;
  }

  async #scanWhenDue(wish: Wish, pace: Pace): Promise<Poll> {
    this.#hasJustScanned = false;
    const now = this.#now();
    const sinceMillis = now - this.#scannedMillis;
    const foreignDue = this.view.hasForeignLeases && sinceMillis > this.#failoverTimeMillis * FOREIGN_PART;
    const repairDue = this.view.corrupt.length > 0 && sinceMillis > REPAIR_POLL_MILLIS;
    if (this.isCurrent && !foreignDue && !repairDue) {
      this.#scanTurn = undefined;
      return SEEN;
    }
    if (now < this.#dueAtMillis(pace, now)) return SEEN;
    this.#scannedMillis = now;
    this.#scanTurn = undefined;
    const seen = await this.#beatDuring(this.#scanAgainIfOutrun(pace), wish);
    this.#hasJustScanned = seen.kind === "seen";
    return seen;
  }

  /**
   * W6. In a large fleet each worker reads the table at a moment of its own, on average once in `scanSpreadMillis` while
   * changes go on. A worker that knows nothing, or that knows its view to be wrong, does not wait.
   */
  #dueAtMillis({ scanSpreadMillis }: Pace, now: number): number {
    const knowsNothing = this.view.scannedGeneration < 0 && this.role !== "follows";
    if (scanSpreadMillis === 0 || knowsNothing) return now;
    // By the pace of now: the fleet may have grown since, or this worker may have begun to lead.
    this.#scanTurn ??= { sinceMillis: now, place: this.#ports.random.next() };
    const { sinceMillis, place } = this.#scanTurn;
    return Math.max(sinceMillis, this.#scannedMillis + scanSpreadMillis / 2) + place * scanSpreadMillis;
  }

  /** What changed during a scan is read at once, not at the next look: others are handing over, and wait for nobody. Only where a scan is cheap. */
  async #scanAgainIfOutrun({ scanSpreadMillis }: Pace): Promise<void> {
    await this.scan();
    if (!this.isCurrent && scanSpreadMillis === 0) await this.scan();
  }

  /** W3. A worker that has lost its place does not wait for the scan: what that brings is another incarnation's (V4). */
  async #beatDuring(scan: Promise<void>, wish: Wish): Promise<Poll> {
    let failure: unknown;
    const seen = await this.#beatUntil(scan, wish, (error) => {
      failure = error;
    });
    if (seen.kind !== "seen") return seen;
    await scan;
    if (failure !== undefined && this.#beatFails) throw failure;
    return seen;
  }

  /** W3, for a joiner that still finds out where the application began. Ends with `work`, or when the place is lost. */
  async beatWhile(work: Promise<unknown>, wish: Wish, reports: Pick<ErrorReports, "failed">): Promise<void> {
    await this.#beatUntil(work, wish, (error) => reports.failed("lease table", errorClassIn(error), error));
  }

  /** @param failed told of a heartbeat that failed, which is sent again */
  async #beatUntil(work: Promise<unknown>, wish: Wish, failed: (error: unknown) => void): Promise<Poll> {
    const over = new AbortController();
    const end = () => over.abort();
    void work.then(end, end);
    for (let pauseMillis = 0; ; ) {
      const untilBeatMillis = this.pace.beatMillis - (this.#now() - this.membership.sentMillis);
      await this.#ports.clock.sleep(Math.max(pauseMillis, untilBeatMillis), over.signal);
      if (over.signal.aborted) return SEEN;
      try {
        const seen = await this.#beat(wish, this.#bumpWanted);
        if (seen.kind !== "seen") return seen;
        pauseMillis = 0;
      } catch (error) {
        failed(error);
        pauseMillis = BEAT_AGAIN_MILLIS;
      }
    }
  }

  /** One after another: a scan must not take rows written during a later one for old (V1). */
  scan(): Promise<void> {
    const scan = this.#scanning.then(() => this.#scanOnce());
    this.#scanning = scan.catch(() => undefined);
    return scan;
  }

  async #scanOnce(): Promise<void> {
    const { generation, incarnation } = this.view;
    const before = this.view.unreadable;
    this.view.scanStarts();
    const listing = await this.#listing.read(this.#closed);
    if (this.view.incarnation !== incarnation) return;
    this.view.scanned(listing, generation, this.#now());
    // Who reads the table once in a long while has no news for the others.
    const isNews = this.#listing.report(before, this.view) && this.role !== "follows";
    if (isNews) this.wantBump();
  }

  pageOf(member: Member): number {
    return this.view.pageOf(member) ?? this.membership.page;
  }

  /** Resolves while this worker's heartbeat is fresh (M1) and none is owed after a block (B2), or when `signal` aborts. */
  async whenFresh(signal: AbortSignal): Promise<void> {
    const waits = () =>
      !this.membership.isFresh(this.#now()) || this.#loop.owesHeartbeat(this.membership.sentMillis);
    while (!signal.aborted && !this.#closed && waits()) {
      const aborted = gate();
      signal.addEventListener("abort", aborted.open, { once: true });
      await Promise.race([this.#freshGate.promise, aborted.promise]);
      signal.removeEventListener("abort", aborted.open);
    }
  }

  /** Nobody waits for freshness any more. */
  close(): void {
    this.#closed = true;
    this.#openFreshGate();
  }

  async #beat(wish: Wish, bump: boolean): Promise<Poll> {
    this.#bumpWanted = false;
    const before = this.view.generation;
    const unobservedMillis = this.#unobservedMillis;
    const wasObserving = this.isObserving;
    const sentBefore = this.membership.sentMillis;
    const beaten = await this.membership.beat(wish, bump).catch((error: unknown) => {
      this.#bumpWanted ||= bump;
      this.#beatFails = true;
      throw error;
    });
    // A stop whose budget is spent removes the entry while a heartbeat may be under way.
    if (beaten.kind !== "ok" && this.#closed) return SEEN;
    if (beaten.kind === "removed") return this.#restore();
    if (beaten.kind !== "ok") return beaten;
    const { page } = beaten;
    if (!wasObserving) this.view.restartObservation();
    else if (isNotable(this.#loop.blockedSince(sentBefore), this.#failoverTimeMillis))
      this.view.interruptObservation(this.#failoverTimeMillis * BLOCKED_GAP_PART);
    this.view.restartObservationBelow(unobservedMillis / OBSERVING_PART);
    this.#sawPage(page, "consistent");
    this.#beatFails = false;
    // Our own bump is no news to us.
    const ownNews = bump && page.generation === before + 1;
    if (ownNews && this.view.scannedGeneration === before) this.view.scannedGeneration = page.generation;
    this.#openFreshGate();
    if (beaten.bumpError !== undefined) {
      this.#bumpWanted = true;
      throw beaten.bumpError;
    }
    return SEEN;
  }

  /** The entry, or its whole fleet row, was removed by hand. No other worker holds what this one holds (M2). */
  async #restore(): Promise<Poll> {
    const { page, bumpError } = await this.membership.restore();
    if (bumpError !== undefined) this.wantBump();
    this.#ports.logger.error(
      { fleetRow: page.page },
      "this worker's entry was removed from its fleet row by another hand: it is written again, and the leases are kept",
    );
    this.view.restartObservation();
    this.#sawPage(page, "consistent");
    this.distrust();
    this.#openFreshGate();
    return SEEN;
  }

  #sawPage(page: FleetPage, consistency: "consistent" | "eventual"): void {
    if (this.#beatFails) this.view.interruptObservation();
    if (this.view.sawPage(page, this.#now(), consistency) === "set-back")
      this.#ports.logger.error(
        { fleetRow: page.page, version: page.generation },
        "the fleet row's version went back (deleted or edited by hand?): the lease table is read anew",
      );
    const problems = page.unreadable?.join("; ") ?? "";
    if (problems !== "" && problems !== this.#unreadableEntries.get(page.page))
      this.#ports.logger.error(
        { fleetRow: page.page, problems },
        "entries of a fleet row cannot be read: their workers count as gone until they write them anew",
      );
    this.#unreadableEntries.set(page.page, problems);
  }

  #openFreshGate(): void {
    this.#freshGate.open();
    this.#freshGate = gate();
  }

  #now(): number {
    return this.#ports.clock.monotonicMillis();
  }
}
