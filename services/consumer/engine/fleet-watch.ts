/**
 * Looking: this worker's heartbeat, the fleet rows and, when they say that something changed, the lease table.
 *
 * Owns: the membership and the view. Never does: decide what follows from them.
 * W1: a heartbeat answers with its whole page, so a beat is a look and no look is made beside it.
 * W2: the table is read when the generation moved, and at no other time but for leases of foreign owners.
 * W3: the heart beats on while the table is read, however long that takes.
 */
import { orphans } from "../core/lineage.ts";
import type { FleetPage, Member } from "../core/member.ts";
import { beatSlackMillis, type Pace } from "../core/pace.ts";
import type { LeaseListing } from "../ports/lease-store.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import { FleetView } from "./fleet-view.ts";
import { type Gate, gate } from "./gate.ts";
import { Membership } from "./membership.ts";

/** Of one reading of the table. */
const MOST_SCANS = 3;

export interface Wish {
  readonly state: "joining" | "active" | "leaving";
  readonly maxLeases: number | undefined;
}

export class FleetWatch {
  readonly view = new FleetView();
  readonly membership: Membership;
  readonly #ports: Ports;
  readonly #failoverTimeMillis: number;
  #freshGate: Gate = gate();
  #closed = false;
  #bumpWanted = false;
  #scanDueMillis = Number.NEGATIVE_INFINITY;
  #roundRobinPage = 0;
  /** When each page was last read by a look of its own. */
  readonly #readMillis = new Map<number, number>();
  #scanning: Promise<void> = Promise.resolve();
  /** What the newest scan found of children without parents. */
  #orphans: ReadonlySet<string> = new Set();

  constructor(
    ports: Ports,
    options: Pick<EngineOptions, "workerId" | "enableLeaseStealing" | "failoverTimeMillis">,
  ) {
    this.#ports = ports;
    this.#failoverTimeMillis = options.failoverTimeMillis;
    this.membership = new Membership(ports.store, {
      workerId: options.workerId,
      steals: options.enableLeaseStealing,
      failoverTimeMillis: options.failoverTimeMillis,
      newIncarnation: ports.newIncarnation,
      monotonicMillis: () => this.#now(),
    });
  }

  /** The table is as new as the newest generation seen. */
  get isCurrent(): boolean {
    return this.view.scannedGeneration === this.view.generation;
  }

  /** The next look is a heartbeat that tells everybody to read the table. */
  wantBump(): void {
    this.#bumpWanted = true;
  }

  /** What is known may be wrong: read the table at the next look. */
  distrust(): void {
    this.view.scannedGeneration = -1;
  }

  async join(): Promise<void> {
    this.view.reset();
    this.#sawPage(await this.membership.join());
    if (this.membership.page !== 0) {
      const first = await this.#ports.store.readFleet(0, { consistent: true });
      if (first) this.#sawPage(first);
    }
    this.#openFreshGate();
  }

  /** Beats when it is due or `wish` differs from the entry, and reads the pages this worker watches. */
  async look(wish: Wish, pace: Pace, isBusy: boolean, leads: boolean): Promise<"seen" | "superseded"> {
    const { member } = this.membership;
    const differs = wish.maxLeases !== member.maxLeases || wish.state !== member.state;
    const bump = this.#bumpWanted || differs;
    const sinceBeatMillis = this.#now() - this.membership.sentMillis;
    const beats = bump || sinceBeatMillis >= pace.beatMillis - beatSlackMillis(pace, isBusy);
    const everyMillis = isBusy ? pace.busyMillis : pace.idleMillis;
    if (beats && (await this.#beat(wish, bump)) === "superseded") return "superseded";
    for (const page of this.#pagesToRead(beats, everyMillis, leads)) {
      this.#readMillis.set(page, this.#now());
      const seen = await this.#ports.store.readFleet(page);
      if (seen === undefined) this.view.pageGone(page);
      else this.#sawPage(seen);
    }
    return "seen";
  }

  async scanWhenDue(wish: Wish, pace: Pace): Promise<"seen" | "superseded"> {
    const now = this.#now();
    const foreignDue = this.view.hasForeignLeases && now - this.#scanDueMillis > this.#failoverTimeMillis / 2;
    if (this.isCurrent && !foreignDue) return "seen";
    if (pace.scanSpreadMillis > 0 && this.view.scannedGeneration >= 0) {
      if (this.#scanDueMillis <= now - pace.scanSpreadMillis) {
        this.#scanDueMillis = now + this.#ports.random.next() * pace.scanSpreadMillis;
      }
      if (now < this.#scanDueMillis) return "seen";
    }
    this.#scanDueMillis = now;
    return this.#beatDuring(this.#scanAgainIfOutrun(pace), wish, pace);
  }

  /** What changed during a scan is read at once, not at the next look: others are handing over, and wait for nobody. Only where a scan is cheap. */
  async #scanAgainIfOutrun({ scanSpreadMillis }: Pace): Promise<void> {
    await this.scan();
    if (!this.isCurrent && scanSpreadMillis === 0) await this.scan();
  }

  /** W3. Whoever is superseded meanwhile joins anew when the scan is over: it would fill the new incarnation's view. */
  async #beatDuring(scan: Promise<void>, wish: Wish, { beatMillis }: Pace): Promise<"seen" | "superseded"> {
    const over = new AbortController();
    const ended = scan.finally(() => over.abort());
    ended.catch(() => undefined); // awaited below
    let seen: "seen" | "superseded" = "seen";
    try {
      while (seen === "seen") {
        const untilBeatMillis = beatMillis - (this.#now() - this.membership.sentMillis);
        await this.#ports.clock.sleep(Math.max(0, untilBeatMillis), over.signal);
        if (over.signal.aborted) break;
        seen = await this.#beat(wish, this.#bumpWanted);
      }
    } finally {
      await ended;
    }
    return seen;
  }

  /** One after another: a scan must not take rows written during a later one for old (V1). */
  scan(): Promise<void> {
    const scan = this.#scanning.then(() => this.#scanOnce());
    this.#scanning = scan.catch(() => undefined);
    return scan;
  }

  async #scanOnce(): Promise<void> {
    const { generation } = this.view;
    const corruptBefore = this.view.corrupt.length;
    this.view.scanStarts();
    const listing = await this.#list();
    this.view.scanned(listing, generation, this.#now());
    if (listing.corrupt.length > 0 && listing.corrupt.length !== corruptBefore) {
      const rows = listing.corrupt;
      this.#ports.logger.error(
        { rows },
        "lease rows cannot be read and are left alone: repair or delete them",
      );
    }
  }

  /** Every row; a parent that is missing is missing in two scans, the second begun after the first had ended (L3: see `orphans`). */
  async #list(): Promise<LeaseListing> {
    for (let round = 1; ; round++) {
      const listing = await this.#ports.store.list({ consistent: true });
      const found = orphans(listing.leases);
      const fresh = new Set(found.filter((orphan) => !this.#orphans.has(orphan)));
      this.#orphans = new Set(found);
      if (fresh.size === 0) return listing;
      if (round < MOST_SCANS) continue;
      // Reshards faster than scans: the newest children are left for the next look.
      const children = new Set([...fresh].map((orphan) => orphan.split(" ")[0]));
      return { ...listing, leases: listing.leases.filter((lease) => !children.has(lease.leaseKey)) };
    }
  }

  pageOf(member: Member): number {
    for (const page of this.view.pages.values()) {
      if (page.members.some((m) => m.workerId === member.workerId && m.incarnation === member.incarnation)) {
        return page.page;
      }
    }
    return this.membership.page;
  }

  /** Resolves while this worker's heartbeat is fresh (M1), or when `signal` aborts. */
  async whenFresh(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#closed && !this.membership.isFresh(this.#now())) {
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

  async #beat(wish: Wish, bump: boolean): Promise<"seen" | "superseded"> {
    this.#bumpWanted = false;
    const before = this.view.generation;
    const page = await this.membership.beat(wish, bump).catch((error: unknown) => {
      this.#bumpWanted ||= bump;
      throw error;
    });
    if (page === "superseded") return "superseded";
    this.#sawPage(page);
    // Our own bump is no news to us.
    const ownNews = bump && page.generation === before + 1;
    if (ownNews && this.view.scannedGeneration === before) this.view.scannedGeneration = page.generation;
    this.#openFreshGate();
    return "seen";
  }

  /** Page 0 tells whether anything changed. With more pages, this one and the next with somebody alive watch each other; the leader goes round all. */
  #pagesToRead(beaten: boolean, everyMillis: number, leads: boolean): readonly number[] {
    const own = this.membership.page;
    // Right before a beat there may be a beat's time less than a whole interval: that is not worth another read.
    const due = (page: number) => this.#now() - (this.#readMillis.get(page) ?? 0) >= everyMillis * 0.85;
    if (own === 0 && !beaten) return [0];
    const pages = new Set<number>();
    if (due(0)) pages.add(0);
    const living = [...this.view.pages.values()].filter((p) => p.members.some((m) => m.state !== "dead"));
    if (beaten && living.length > 1) {
      const sorted = living.map((p) => p.page).toSorted((a, b) => a - b);
      const next = sorted.find((p) => p > own) ?? sorted[0]!;
      if (due(next)) pages.add(next);
      if (leads) pages.add(sorted[this.#roundRobinPage++ % sorted.length]!);
    }
    if (beaten) pages.delete(own);
    return [...pages];
  }

  #sawPage(page: FleetPage): void {
    this.view.sawPage(page, this.#now());
  }

  #openFreshGate(): void {
    this.#freshGate.open();
    this.#freshGate = gate();
  }

  #now(): number {
    return this.#ports.clock.monotonicMillis();
  }
}
