/**
 * One worker's part in the fleet: looks at the fleet rows, reads the table when something changed, performs what
 * `decide` decides, and hands everything over at the end.
 *
 * Owns: the membership, the view, the shard tasks. Never does: choose (core decides) or read records (shard tasks do).
 * C1: decisions are performed only on a view whose scan is as new as the newest generation seen.
 * C2: one effect a lease at a time: while a claim is under way, the lease is not touched again.
 * C3: after every await that could have changed who we are, the incarnation is compared before acting on.
 */
import type { Decisions, FleetSummary } from "../core/decide.ts";
import type { Lease } from "../core/lease.ts";
import type { Member } from "../core/member.ts";
import { type Pace, paceOf } from "../core/pace.ts";
import { type ByteBudget, createByteBudget } from "./byte-budget.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import { FleetView } from "./fleet-view.ts";
import { ownLease } from "./held-lease.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { Membership } from "./membership.ts";
import { startShardConsumer } from "./shard-reader.ts";
import { ShardTask, type ShardTaskSurroundings } from "./shard-task.ts";

/** Joiners that arrive within this become active together, so that no lease moves twice. */
const SETTLE_MILLIS = 400;
const SETTLE_AT_MOST_MILLIS = 1_500;
/** A leaver's leases wait this long for the others to raise their caps before they are released to nobody. */
const RELEASE_GRACE_MILLIS = 1_500;
/** Writes of one kind under way at once: enough for a scale-out, few enough for two cores and the SDK's sockets. */
const MAX_CLAIMS_UNDER_WAY = 16;

export type WorkerState = "created" | "joining" | "active" | "leaving" | "stopped";

export class Coordinator {
  readonly #ports: Ports;
  readonly #options: EngineOptions;
  readonly #membership: Membership;
  readonly #budget: ByteBudget;
  readonly #tasks = new Map<string, ShardTask>();
  readonly #claiming = new Set<string>();
  readonly #chores = new Set<string>();
  readonly #stopped = new AbortController();
  readonly #around: ShardTaskSurroundings;
  #view = new FleetView();
  #duties: LeaderDuties;
  #decisions: Decisions | undefined;
  #wake = new AbortController();
  #freshGate: { readonly promise: Promise<void>; readonly open: () => void } = gate();
  #desired: "joining" | "active" | "leaving" = "joining";
  #state: WorkerState = "created";
  #bumpWanted = false;
  #scanDueMillis = 0;
  #joinedMillis = 0;
  #settleFromMillis = 0;
  #leavingSinceMillis = Number.POSITIVE_INFINITY;
  #changedMillis = 0;
  #troublesInARow = 0;
  #roundRobinPage = 0;
  #knownJoiners = "";
  #lookedGeneration = -1;
  #starting: Promise<void> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();
  readonly #takesPart = gate();

  constructor(ports: Ports, options: EngineOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#membership = new Membership(ports.store, {
      workerId: options.workerId,
      steals: options.enableLeaseStealing,
      failoverTimeMillis: options.failoverTimeMillis,
      newIncarnation: ports.newIncarnation,
      monotonicMillis: () => ports.clock.monotonicMillis(),
    });
    this.#budget = createByteBudget(options.maxBufferedBytes);
    this.#duties = new LeaderDuties(ports, this.#view, options);
    this.#around = {
      ports,
      options,
      startConsumer: (owned) =>
        startShardConsumer(
          {
            ...ports,
            budget: this.#budget,
            whenFresh: (signal) => this.#whenFresh(signal),
            observe: options.observe,
          },
          options,
          owned,
        ),
      targetOf: (leaseKey) => this.#decisions?.targetOf.get(leaseKey),
      row: (leaseKey) => this.#view.table.get(leaseKey),
      syncShards: async () => {
        const { shards, created } = await this.#duties.syncShards();
        if (created > 0) this.#changed();
        return shards;
      },
      created: (lease) => this.#view.wrote(lease),
      changed: () => this.#changed(),
    };
  }

  /** Resolves when this worker takes part: it is an active member and the leases it was due are its own. */
  async start(): Promise<void> {
    this.#starting = this.#enter();
    await this.#starting;
    await this.#takesPart.promise;
  }

  /** Hands everything over and leaves. `budgetMillis`: after it, handlers still running are aborted and their leases released at the last checkpoint. @returns the leases that had to be. */
  async stop(budgetMillis: number): Promise<readonly string[]> {
    this.#desired = "leaving";
    this.#leavingSinceMillis = Math.min(this.#leavingSinceMillis, this.#now());
    this.#wakeUp();
    const deadline = new AbortController();
    const budget = this.#ports.clock.sleep(budgetMillis, deadline.signal).then(() => {
      if (!deadline.signal.aborted && !this.#stopped.signal.aborted) return this.#giveUp();
      return [];
    });
    // A start that failed has told its caller; there is nothing to hand over then.
    await this.#starting.then(
      () => this.#loop,
      () => undefined,
    );
    deadline.abort();
    return budget;
  }

  status() {
    const leases = [...this.#tasks].map(([leaseKey, task]) => ({
      leaseKey,
      phase: task.phase,
      ...task.status(),
    }));
    return {
      workerId: this.#options.workerId,
      state: this.#state,
      leads: this.#decisions?.leads ?? false,
      maxLeases: this.#membership.member.maxLeases,
      fleet: this.#decisions?.fleet as FleetSummary | undefined,
      leases,
    };
  }

  async #enter(): Promise<void> {
    await this.#ports.store.ensureTable(this.#options.createLeaseTable);
    this.#state = "joining";
    await this.#join();
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      this.#wake = new AbortController();
      await this.#turn();
      if (this.#stopped.signal.aborted) return;
      await this.#ports.clock.sleep(this.#pauseMillis(), this.#wake.signal);
      // What woke us seldom comes alone: the bumps of several hand-overs become one write.
      if (this.#wake.signal.aborted) await this.#ports.clock.sleep(15);
    }
  }

  async #turn(): Promise<void> {
    try {
      await this.#look();
      await this.#scanWhenDue();
      this.#troublesInARow = 0;
    } catch (error) {
      this.#troublesInARow += 1;
      const level = this.#troublesInARow === 3 || this.#troublesInARow % 60 === 0 ? "error" : "debug";
      this.#ports.logger[level](
        { err: error, inARow: this.#troublesInARow },
        "the lease table cannot be read or written; trying again",
      );
      return;
    }
    // C1
    if (this.#view.scannedGeneration !== this.#view.generation) return;
    const decisions = this.#ports.decide({
      self: this.#membership.member,
      members: this.#view.members(),
      silentMembers: this.#view.silentMembers(this.#options.failoverTimeMillis),
      table: this.#view.table,
      silentLeases: this.#view.silentLeases(this.#options.failoverTimeMillis),
      watchedLeases: this.#view.watchedLeases(this.#options.failoverTimeMillis),
      held: new Map(
        [...this.#tasks].map(([key, task]) => [
          key,
          { counter: task.owned.lease.counter, phase: task.phase === "reading" ? "reading" : "busy" },
        ]),
      ),
      mayRelease: this.#mayRelease(),
      computeCap: (fleet) => this.#computeCap(fleet),
    });
    this.#decisions = decisions;
    this.#perform(decisions);
  }

  #perform(decisions: Decisions): void {
    for (const { leaseKey, reason } of decisions.stop) this.#tasks.get(leaseKey)?.lose(reason);
    for (const { lease, reason } of decisions.claim) this.#claim(lease, reason);
    for (const { leaseKey, to, reason } of decisions.handOver)
      this.#tasks.get(leaseKey)?.handOver(to, reason);
    for (const { leaseKey } of decisions.release)
      this.#tasks.get(leaseKey)?.release("stopping, and nobody has room for it");
    for (const member of decisions.declareDead)
      this.#chore(`declare ${member.workerId}`, () => this.#declareDead(member));
    for (const member of decisions.bury) {
      this.#chore(`bury ${member.workerId}`, async () => {
        await this.#ports.store.leave(this.#pageOf(member), member);
      });
    }
    if (decisions.leads) this.#lead(decisions);
    else this.#duties.resigned();
    if (this.#options.leaseRenewal === "lease") this.#renewEach();
    this.#settle(decisions);
    if (decisions.changing || this.#tasks.size !== this.#readingCount()) this.#noteChange(decisions);
  }

  async #look(): Promise<void> {
    const now = this.#now();
    const { member } = this.#membership;
    const cap = this.#decisions === undefined ? member.maxLeases : this.#decisions.cap;
    const differs = cap !== member.maxLeases || this.#desired !== member.state;
    const bump = this.#bumpWanted || differs;
    const beats = bump || now - this.#membership.sentMillis >= this.#pace().beatMillis;
    if (beats) {
      this.#bumpWanted = false;
      const before = this.#view.generation;
      try {
        const page = await this.#membership.beat({ state: this.#desired, maxLeases: cap }, bump);
        if (page === "superseded") return await this.#rejoin();
        this.#view.sawPage(page, this.#now());
        // Our own bump is no news to us.
        if (bump && page.generation === before + 1 && this.#view.scannedGeneration === before)
          this.#view.scannedGeneration = page.generation;
      } catch (error) {
        this.#bumpWanted = bump;
        throw error;
      }
      if (this.#membership.member.state !== "joining")
        this.#state = this.#membership.member.state as WorkerState;
      this.#openFreshGate();
    }
    for (const page of this.#pagesToRead(beats)) {
      const seen = await this.#ports.store.readFleet(page);
      if (seen === undefined) this.#view.pageGone(page);
      else this.#view.sawPage(seen, this.#now());
    }
    if (this.#view.generation !== this.#lookedGeneration) {
      this.#lookedGeneration = this.#view.generation;
      this.#changedMillis = this.#now();
    }
  }

  /** Page 0 tells whether anything changed. With more pages, this one and the next with somebody alive watch each other; the leader goes round all. */
  #pagesToRead(beaten: boolean): readonly number[] {
    const own = this.#membership.page;
    const pages = new Set<number>();
    if (own !== 0 || !beaten) pages.add(0);
    const living = [...this.#view.pages.values()]
      .filter((p) => p.members.some((m) => m.state !== "dead"))
      .map((p) => p.page);
    if (beaten && living.length > 1) {
      const sorted = living.toSorted((a, b) => a - b);
      pages.add(sorted.find((p) => p > own) ?? sorted[0]!);
      if (this.#decisions?.leads) pages.add(sorted[this.#roundRobinPage++ % sorted.length]!);
    }
    if (beaten) pages.delete(own);
    return [...pages];
  }

  async #scanWhenDue(): Promise<void> {
    const now = this.#now();
    const foreignDue =
      this.#view.hasForeignLeases && now - this.#scanDueMillis > this.#options.failoverTimeMillis / 2;
    if (this.#view.scannedGeneration === this.#view.generation && !foreignDue) return;
    const spread = this.#pace().scanSpreadMillis;
    if (spread > 0 && this.#view.scannedGeneration >= 0) {
      if (this.#scanDueMillis <= now - spread) this.#scanDueMillis = now + this.#ports.random.next() * spread;
      if (now < this.#scanDueMillis) return;
    }
    this.#scanDueMillis = now;
    await this.#scan();
  }

  async #scan(): Promise<void> {
    const { generation } = this.#view;
    this.#view.scanStarts();
    const listing = await this.#ports.store.list({ consistent: true });
    const known = this.#view.corrupt.length;
    this.#view.scanned(listing, generation, this.#now());
    if (listing.corrupt.length > 0 && listing.corrupt.length !== known) {
      this.#ports.logger.error(
        { rows: listing.corrupt },
        "lease rows cannot be read and are left alone: repair or delete them",
      );
    }
  }

  #claim(lease: Lease, reason: string): void {
    const { leaseKey } = lease;
    if (
      this.#claiming.has(leaseKey) ||
      this.#tasks.has(leaseKey) ||
      this.#claiming.size >= MAX_CLAIMS_UNDER_WAY
    )
      return;
    this.#claiming.add(leaseKey);
    const { incarnation } = this.#membership.member;
    const attempt = async () => {
      const outcome = await this.#ports.store.claim(lease, this.#options.workerId);
      if (outcome.kind === "lost") {
        if (outcome.current) this.#view.wrote(outcome.current);
        else this.#view.scannedGeneration = -1;
        return;
      }
      this.#view.wrote(outcome.lease);
      // C3: declared dead while the claim was under way: the row is ours by name only; it is claimed anew after joining.
      if (this.#membership.member.incarnation !== incarnation || this.#stopped.signal.aborted) return;
      this.#hold(outcome.lease, reason);
    };
    void attempt()
      .catch((error: unknown) => {
        // It may have happened: only the table knows.
        this.#view.scannedGeneration = -1;
        this.#ports.logger.debug({ err: error, shardId: leaseKey }, "claim not answered");
      })
      .finally(() => {
        this.#claiming.delete(leaseKey);
        this.#wakeUp();
      });
  }

  #hold(lease: Lease, reason: string): void {
    const { clock, store, logger } = this.#ports;
    const owned = ownLease(
      store,
      lease,
      () => clock.monotonicMillis(),
      (row) => this.#view.wrote(row),
    );
    const task = new ShardTask(owned, this.#around);
    this.#tasks.set(lease.leaseKey, task);
    const action = reason === "received" ? "received" : "claimed";
    this.#options.observe({
      type: "lease",
      leaseKey: lease.leaseKey,
      action,
      reason,
      atMillis: clock.wallMillis(),
    });
    logger.info(
      { shardId: lease.leaseKey, reason, checkpoint: lease.checkpoint.sequenceNumber },
      `lease ${action}`,
    );
    if (action === "claimed") this.#changed();
    void task.done.then(() => {
      this.#tasks.delete(lease.leaseKey);
      this.#wakeUp();
    });
  }

  async #declareDead(member: Member): Promise<void> {
    const outcome = await this.#ports.store.declareDead(this.#pageOf(member), member);
    if (outcome === "declared") {
      this.#ports.logger.warn(
        { member: member.workerId },
        "worker declared dead: its heartbeat has not moved for the failover time",
      );
    }
  }

  #lead(decisions: Decisions): void {
    const now = this.#now();
    if (this.#duties.syncIsDue(now)) {
      this.#chore("shard sync", async () => {
        const { created } = await this.#duties.syncShards();
        if (created > 0) this.#changed();
        this.#duties.publish(decisions.fleet);
      });
    } else if (this.#duties.cleanupIsDue(now)) {
      this.#chore("cleanup", async () => {
        await this.#scan();
        if ((await this.#duties.cleanUp()) > 0) this.#changed();
      });
    }
  }

  /** Work beside the loop, one of a kind at a time. A failure is logged; the next turn tries again. */
  #chore(name: string, work: () => Promise<void>): void {
    if (this.#chores.has(name)) return;
    this.#chores.add(name);
    void work()
      .catch((error: unknown) => this.#ports.logger.warn({ err: error }, `${name} failed; trying again`))
      .finally(() => {
        this.#chores.delete(name);
        this.#wakeUp();
      });
  }

  /** `leaseRenewal: "lease"`: every lease's counter moves, but not where a checkpoint has just moved it. */
  #renewEach(): void {
    const now = this.#now();
    for (const [leaseKey, task] of this.#tasks) {
      if (now - task.owned.movedMillis < this.#pace().beatMillis) continue;
      this.#chore(`renewing ${leaseKey}`, async () => {
        if ((await task.owned.renew()) === "lost") task.lose("a renewal was refused");
      });
    }
  }

  #settle(decisions: Decisions): void {
    if (this.#desired !== "joining") {
      const settled = this.#membership.member.state !== "joining";
      const due = decisions.claim.length > 0 || this.#claiming.size > 0;
      if (settled && !due) this.#takesPart.open();
      return;
    }
    const now = this.#now();
    const joiners = this.#view
      .members()
      .filter((m) => m.state === "joining")
      .map((m) => m.incarnation)
      .toSorted()
      .join();
    if (joiners !== this.#knownJoiners) {
      this.#knownJoiners = joiners;
      this.#settleFromMillis = now;
    }
    if (now - this.#settleFromMillis >= SETTLE_MILLIS || now - this.#joinedMillis >= SETTLE_AT_MOST_MILLIS) {
      this.#desired = "active";
      this.#wakeUp();
    }
  }

  async #join(): Promise<void> {
    this.#view = new FleetView();
    this.#duties = new LeaderDuties(this.#ports, this.#view, this.#options);
    this.#decisions = undefined;
    const page = await this.#membership.join();
    this.#joinedMillis = this.#settleFromMillis = this.#now();
    this.#knownJoiners = "";
    this.#lookedGeneration = -1;
    this.#view.sawPage(page, this.#now());
    if (page.page !== 0) {
      const first = await this.#ports.store.readFleet(0, { consistent: true });
      if (first) this.#view.sawPage(first, this.#now());
    }
    this.#openFreshGate();
  }

  /** M2. Everything held is dropped before the new incarnation joins: nothing of the old one is written any more. */
  async #rejoin(): Promise<void> {
    this.#ports.logger.warn(
      { leases: this.#tasks.size },
      "this worker was declared dead (paused or cut off for the failover time?): its leases are dropped and it joins anew",
    );
    for (const task of this.#tasks.values()) task.lose("declared dead");
    await Promise.all([...this.#tasks.values()].map((task) => task.done));
    if (this.#desired === "leaving") return this.#finish();
    this.#desired = "joining";
    await this.#join();
  }

  /** Called every turn; leaves when nothing is held any more. */
  #pauseMillis(): number {
    if (this.#troublesInARow > 0)
      return this.#ports.random.next() * Math.min(1_000, 100 * 2 ** this.#troublesInARow);
    if (this.#membership.member.state === "leaving" && this.#tasks.size === 0 && this.#claiming.size === 0) {
      this.#chore("leaving", () => this.#finish());
    }
    const pace = this.#pace();
    const busy = this.#now() - this.#changedMillis < pace.busyForMillis || this.#desired === "leaving";
    const pause = busy ? pace.busyMillis : pace.idleMillis;
    const untilBeat = pace.beatMillis - (this.#now() - this.#membership.sentMillis);
    // Spread by ±10 %, so that workers started together do not look together for ever.
    return Math.max(1, Math.min(pause * (0.9 + 0.2 * this.#ports.random.next()), untilBeat));
  }

  async #finish(): Promise<void> {
    await this.#membership.leave();
    this.#state = "stopped";
    this.#stopped.abort();
    this.#openFreshGate();
    this.#takesPart.open();
  }

  /** The stop budget is spent: abort the handlers, and release the leases at their last checkpoints so that nobody waits for an expiry. */
  async #giveUp(): Promise<readonly string[]> {
    const left = [...this.#tasks.values()];
    for (const task of left) task.lose("the stop budget is spent");
    await Promise.allSettled(left.map((task) => task.owned.release(task.owned.lease.checkpoint)));
    await Promise.allSettled([this.#finish()]);
    this.#stopped.abort();
    this.#state = "stopped";
    return left.map((task) => task.owned.leaseKey);
  }

  async #whenFresh(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#stopped.signal.aborted && !this.#membership.isFresh(this.#now())) {
      const aborted = gate();
      signal.addEventListener("abort", aborted.open, { once: true });
      await Promise.race([this.#freshGate.promise, aborted.promise]);
      signal.removeEventListener("abort", aborted.open);
    }
  }

  #openFreshGate(): void {
    this.#freshGate.open();
    this.#freshGate = gate();
  }

  /** The user's formula: without shards there is nothing to ask it, and where it fails the last answer stands. */
  #computeCap(fleet: { readonly shards: number; readonly workers: number }): number | undefined {
    const { maxLeases } = this.#membership.member;
    if (fleet.shards === 0) return maxLeases;
    try {
      return this.#options.maxLeasesForWorker(fleet);
    } catch (error) {
      this.#ports.logger.error({ err: error, ...fleet, kept: maxLeases }, "maxLeasesForWorker failed; its last answer stands");
      return maxLeases;
    }
  }

  #mayRelease(): boolean {
    const others = this.#view
      .members()
      .some((m) => m.workerId !== this.#options.workerId && (m.state === "active" || m.state === "joining"));
    return !others || this.#now() - this.#leavingSinceMillis > RELEASE_GRACE_MILLIS;
  }

  #noteChange(decisions: Decisions): void {
    // Only new moves keep the looks frequent; the same ones waiting on a slow handler do not.
    const moving = JSON.stringify([...decisions.targetOf].toSorted());
    if (moving === this.#movingBefore) return;
    this.#movingBefore = moving;
    this.#changedMillis = this.#now();
  }
  #movingBefore = "";

  #pace(): Pace {
    return paceOf(
      { workers: Math.max(1, this.#decisions?.fleet.workers ?? 1), leases: this.#view.table.size },
      this.#options.failoverTimeMillis,
    );
  }

  #pageOf(member: Member): number {
    for (const page of this.#view.pages.values()) {
      if (page.members.some((m) => m.workerId === member.workerId && m.incarnation === member.incarnation))
        return page.page;
    }
    return 0;
  }

  #readingCount(): number {
    return [...this.#tasks.values()].filter((task) => task.phase === "reading").length;
  }

  #changed(): void {
    this.#bumpWanted = true;
    this.#changedMillis = this.#now();
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake.abort();
  }

  #now(): number {
    return this.#ports.clock.monotonicMillis();
  }
}

function gate(): { readonly promise: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
