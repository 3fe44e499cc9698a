/**
 * One worker's part in the fleet: polls, decides, performs, and hands everything over at the end.
 *
 * Owns: when to poll, and this worker's state. Never does: choose (core decides) or read records (shard tasks do).
 * C1: decisions are made only on a table as new as the newest generation seen.
 * C2: this worker leaves only when it holds nothing, claims nothing, and a table read after that names it nowhere;
 *     a giver that had not heard of its leaving may still name it, so one more read sets such rows free.
 *
 * C3: `start()` rejects within half a minute on what cannot work, and `stop()` resolves within its budget, at any moment.
 *
 *   created ─▶ joining ─▶ active ─▶ leaving ─▶ stopped
 *                 ▲          │ marked dead
 *                 └──────────┴──▶ failed (another process has the worker id; the stream was replaced)
 */
import type { Decisions } from "../core/decide.ts";
import { DuplicateWorkerIdError, StoppedError } from "../core/errors.ts";
import { type Pace, paceOf } from "../core/pace.ts";
import { createByteBudget } from "./byte-budget.ts";
import { Cap } from "./cap.ts";
import { Chores } from "./chores.ts";
import { withDeadlines } from "./deadlines.ts";
import { type DepartureDeps, forceRelease, releaseLateComers, rowsNaming } from "./departure.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import { awaitPredecessor, type EntranceDeps, findBeginning } from "./entrance.ts";
import { ErrorReports, errorClassIn } from "./error-reports.ts";
import { FleetUpkeep } from "./fleet-upkeep.ts";
import { FleetWatch } from "./fleet-watch.ts";
import { gate } from "./gate.ts";
import { type FactSources, gatherFacts } from "./gather-facts.ts";
import { guardedObserve } from "./guarded-observe.ts";
import { Patience } from "./patience.ts";
import { Rescue } from "./rescue.ts";
import { Rhythm } from "./rhythm.ts";
import { Settling } from "./settling.ts";
import { startShardConsumer } from "./shard-reader.ts";
import { ShardTasks } from "./shard-tasks.ts";
import { StopBudget } from "./stop-budget.ts";
import {
  healthOf,
  measure,
  type ReportSources,
  statusOf,
  type WorkerHealth,
  type WorkerState,
} from "./worker-report.ts";

/** Several hand-overs cause one version bump. */
const GATHER_MILLIS = 15;

export class Coordinator {
  readonly #ports: Ports;
  readonly #options: EngineOptions;
  readonly #watch: FleetWatch;
  readonly #tasks: ShardTasks;
  readonly #upkeep: FleetUpkeep;
  readonly #chores: Chores;
  readonly #reports: ErrorReports;
  readonly #settling = new Settling();
  readonly #sources: FactSources;
  readonly #own: ReportSources;
  readonly #rescue: Rescue;
  readonly #rhythm: Rhythm;
  readonly #stopped = new AbortController();
  readonly #takesPart = gate();
  /** Ends what a start waits for. */
  readonly #startEnds = new AbortController();
  readonly #patience: Patience;
  readonly #budget: StopBudget;
  readonly #departure: DepartureDeps;
  readonly #entrance: EntranceDeps;
  #decisions: Decisions | undefined;
  #wake = new AbortController();
  #wish: "joining" | "active" | "leaving" = "joining";
  #leavingSinceMillis = Number.POSITIVE_INFINITY;
  #measuredMillis = 0;
  /** As last computed, and published with the next look. */
  #cap: number | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<readonly string[]> | undefined;
  #loop: Promise<void> = Promise.resolve();
  /** The entry is written; else the next iteration joins. */
  #isMember = false;
  #failure: Error | undefined;
  #turnEndedMillis: number;

  constructor(world: Ports, given: EngineOptions) {
    const options = { ...given, observe: guardedObserve(given.observe, world) };
    const ports = withDeadlines(world, options.failoverTimeMillis);
    this.#ports = ports;
    this.#options = options;
    this.#rhythm = new Rhythm(ports);
    this.#rescue = new Rescue(options.workerId, options.failoverTimeMillis);
    this.#watch = new FleetWatch(ports, options);
    const { view } = this.#watch;
    const budget = createByteBudget(options.maxBufferedBytes);
    this.#reports = new ErrorReports(ports);
    const reports = this.#reports;
    this.#chores = new Chores(reports);
    const wake = { changed: () => this.#changed(), wakeUp: () => this.#wakeUp() };
    this.#upkeep = new FleetUpkeep({ ports, options, watch: this.#watch, chores: this.#chores, ...wake });
    this.#patience = new Patience({ ...ports, reports }, this.#startEnds.signal);
    this.#budget = new StopBudget(ports.clock);
    this.#turnEndedMillis = ports.clock.monotonicMillis();
    const { membership } = this.#watch;
    this.#departure = { ports, watch: this.#watch, workerId: options.workerId };
    this.#entrance = { ports, options, membership, patience: this.#patience };
    const whenFresh = (signal: AbortSignal) => this.#watch.whenFresh(signal);
    this.#own = { ports, options, watch: this.#watch, reports, tasks: () => this.#tasks };
    const dependencies = { ...ports, budget, whenFresh, reports, observe: options.observe };
    this.#tasks = new ShardTasks(ports, options, {
      ports,
      options,
      reports,
      watch: this.#watch,
      startConsumer: (owned) => startShardConsumer(dependencies, options, owned),
      targetOf: (leaseKey) => this.#decisions?.targetOf.get(leaseKey),
      row: (leaseKey) => this.#watch.row(leaseKey),
      syncShards: async () => (await this.#upkeep.syncShards()).shards,
      created: (lease) => view.wrote(lease),
      application: () => this.#upkeep.duties.application,
      ...wake,
    });
    this.#sources = {
      watch: this.#watch,
      tasks: this.#tasks,
      rescue: this.#rescue,
      cap: new Cap(options.maxLeasesForWorker, ports.logger),
      failoverTimeMillis: options.failoverTimeMillis,
    };
  }

  /** Resolves when this worker takes part: it is an active member and the leases it was due are its own (C3). */
  async start(): Promise<void> {
    this.#starting ??= this.#enter();
    await this.#starting;
    await this.#takesPart.promise;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Hands everything over and leaves. A second call may shorten the budget.
   * @param budgetMillis after it, handlers still running are aborted and their leases released as far as is known
   * @returns the leases that had to be
   */
  stop(budgetMillis: number): Promise<readonly string[]> {
    this.#budget.limit(budgetMillis);
    this.#stopping ??= this.#shutDown();
    return this.#stopping;
  }

  status() {
    return statusOf(this.#own, this.#state, this.#decisions);
  }

  health(): WorkerHealth {
    return healthOf(this.#own, this.#state, this.#failure, this.#turnEndedMillis);
  }

  resume(leaseKey: string): boolean {
    return this.#tasks.resume(leaseKey);
  }

  get #state(): WorkerState {
    if (this.#failure !== undefined) return "failed";
    if (this.#stopped.signal.aborted) return "stopped";
    if (this.#starting === undefined) return "created";
    const { state } = this.#watch.membership.member;
    return state === "dead" ? "joining" : state;
  }

  async #enter(): Promise<void> {
    const { store, stream } = this.#ports;
    const join = async () => {
      await awaitPredecessor(this.#entrance);
      await this.#patience.until("lease table", () => this.#join());
    };
    try {
      // Before anything is written: a wrong name must not become a table and a fleet that waits for ever.
      await this.#patience.until("stream listing", () => stream.listShards());
      await this.#patience.until("lease table", () => store.ensureTable(this.#options.createLeaseTable));
      // Together: the others see the joiner while it still finds out where the application began.
      const began = async () => this.#upkeep.duties.began(await findBeginning(this.#entrance));
      const failed = (error: unknown) => this.#startEnds.abort(error);
      await Promise.all([began().catch(failed), join().catch(failed)]);
      this.#startEnds.signal.throwIfAborted();
    } catch (error) {
      this.#stopped.abort();
      if (this.#isMember) this.#chores.start("leaving", () => this.#watch.membership.leave());
      throw error;
    }
    this.#loop = this.#run();
  }

  async #join(): Promise<void> {
    this.#decisions = this.#cap = undefined;
    this.#rescue.reset();
    await this.#watch.join();
    this.#isMember = true;
    this.#settling.begin(this.#now());
  }

  async #shutDown(): Promise<readonly string[]> {
    this.#wish = "leaving";
    this.#leavingSinceMillis = this.#now();
    this.#startEnds.abort(new StoppedError());
    this.#wakeUp();
    // A start that failed has told its caller; there is nothing to hand over then.
    const entered = (this.#starting ?? Promise.resolve()).catch(() => undefined);
    const drained = entered.then(() => this.#loop).then(() => this.#chores.done());
    if (await this.#budget.outlasts(drained)) return [];
    const left = this.#tasks.all;
    // Before the end: what waits for a fresh heartbeat must not reach a handler any more.
    const released = forceRelease(this.#departure, left, "the stop budget is spent");
    this.#end();
    await this.#budget.outlastsInAll(released);
    return left.map((task) => task.owned.leaseKey);
  }

  /** This worker cannot go on, and says why: its leases are released, and `start()` rejects if it still waits. */
  #fail(error: Error): void {
    if (this.#stopped.signal.aborted) return;
    this.#failure = error;
    const { logger, clock } = this.#ports;
    logger.error({ err: error }, `this worker has ended: ${error.message}`);
    this.#options.observe({ type: "error", error, atMillis: clock.wallMillis() });
    this.#chores.start("releasing leases", () =>
      forceRelease(this.#departure, this.#tasks.all, error.message),
    );
    this.#end();
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      this.#wake = new AbortController();
      try {
        await this.#turn();
        this.#rhythm.wentWell();
        this.#reports.recovered("lease table");
      } catch (error) {
        this.#troubled(error);
      }
      this.#turnEndedMillis = this.#now();
      this.#measure();
      if (this.#stopped.signal.aborted) return;
      await this.#ports.clock.sleep(this.#pauseMillis(), this.#wake.signal);
      if (this.#wake.signal.aborted) await this.#ports.clock.sleep(GATHER_MILLIS);
    }
  }

  async #turn(): Promise<void> {
    if (!this.#isMember) return this.#join();
    const pace = this.#pace();
    const { failoverTimeMillis } = this.#options;
    const wish = { state: this.#wish, maxLeases: this.#cap, failoverTimeMillis };
    const seen = await this.#watch.look(wish, pace, this.#isBusy(pace), this.#decisions?.leads ?? false);
    if (seen.kind !== "seen") return this.#rejoin(seen.kind);
    const scanned = await this.#watch.scanWhenDue(wish, pace);
    if (scanned.kind !== "seen") return this.#rejoin(scanned.kind);
    const facts = gatherFacts(this.#sources, this.#leavingSinceMillis, this.#now());
    const decisions = this.#ports.decide(facts);
    if (!this.#watch.isCurrent) return this.#outrun(decisions);
    this.#decisions = decisions;
    this.#cap = decisions.cap;
    this.#perform(decisions);
    this.#observeUntaken(decisions);
    if (this.#watch.membership.member.state === "leaving" && this.#tasks.areNone) await this.#leave();
  }

  /** C1. Changes outrun our scans: look again soon. Neither what the rows already call ours nor a joiner's becoming active waits for a plan. */
  #outrun({ claim, cap }: Decisions): void {
    this.#rhythm.changed();
    for (const { lease, reason } of claim) if (reason === "received") this.#tasks.claim(lease, reason);
    if (this.#decisions === undefined) this.#cap = cap;
    this.#becomeActive();
  }

  /** Overdue leases are looked up first: a new owner's taking up moves no generation. */
  #observeUntaken({ untaken }: Decisions): void {
    const { view, isObserving } = this.#watch;
    const active = view.members().filter(({ state }) => state === "active");
    const ids = active.map(({ workerId }) => workerId);
    if (!isObserving) this.#rescue.reset();
    else if (this.#rescue.observe(untaken, ids, this.#now()) === "look-up") this.#watch.distrust();
  }

  #perform(decisions: Decisions): void {
    for (const { leaseKey, reason } of decisions.stop) this.#tasks.get(leaseKey)?.lose(reason);
    for (const { lease, reason } of decisions.claim) this.#tasks.claim(lease, reason);
    for (const { leaseKey, to, reason } of decisions.handOver)
      this.#tasks.get(leaseKey)?.handOver(to, reason);
    for (const { leaseKey } of decisions.release) {
      this.#tasks.get(leaseKey)?.release("stopping, and nobody has room for it");
    }
    this.#upkeep.perform(decisions);
    if (this.#options.leaseRenewal === "lease") {
      const { beatMillis } = this.#pace();
      this.#chores.start("renewing leases", () => this.#tasks.renew(beatMillis));
    }
    const moving = decisions.changing ? JSON.stringify([...decisions.targetOf]) : "";
    this.#rhythm.saw(`${this.#watch.view.generation} ${moving}`);
    this.#becomeActive();
    const { state } = this.#watch.membership.member;
    if (state !== "joining" && decisions.claim.length === 0 && !this.#tasks.isClaiming)
      this.#takesPart.open();
  }

  /** As often as a heartbeat is due, also while the table cannot be reached: what lags is said then too. */
  #measure(): void {
    if (this.#now() - this.#measuredMillis < this.#pace().beatMillis) return;
    this.#measuredMillis = this.#now();
    measure(this.#own);
  }

  #becomeActive(): void {
    if (this.#wish !== "joining" || !this.#settling.isOver(this.#watch.view.members(), this.#now())) return;
    this.#wish = "active";
    this.#wakeUp();
  }

  /** M2. Everything held is dropped before the new incarnation joins: nothing of the old one is written any more. */
  async #rejoin(why: "dead" | "replaced"): Promise<void> {
    const message =
      why === "dead"
        ? "marked dead by the others (paused or cut off for the failover time?): leases are dropped, and this worker joins anew"
        : "another process took this worker's id: leases are dropped";
    this.#ports.logger.warn({ leases: this.#tasks.all.length }, message);
    await this.#tasks.loseAll("marked dead");
    if (this.#wish === "leaving") return this.#end();
    if (why === "replaced") {
      try {
        await awaitPredecessor(this.#entrance);
      } catch (error) {
        if (!(error instanceof DuplicateWorkerIdError)) throw error;
        return this.#fail(error);
      }
    }
    this.#wish = "joining";
    this.#isMember = false;
    await this.#join();
  }

  /** C2. What was handed to us a moment ago is taken up and given on first; what comes later than that is set free. */
  async #leave(): Promise<void> {
    await this.#chores.done();
    await this.#watch.scan();
    if (rowsNaming(this.#departure).length > 0) return this.#wakeUp();
    await this.#watch.membership.leave();
    this.#end();
    await this.#tasks.close();
    await releaseLateComers(this.#departure);
  }

  #end(): void {
    this.#stopped.abort();
    this.#watch.close();
    this.#takesPart.open();
    void this.#tasks.close();
    this.#wakeUp();
  }

  #pauseMillis(): number {
    const pace = this.#pace();
    const now = this.#now();
    return this.#rhythm.pauseMillis(pace, this.#isBusy(pace), {
      untilBeatMillis: pace.beatMillis - (now - this.#watch.membership.sentMillis),
      untilActiveMillis: this.#wish === "joining" ? this.#settling.leftMillis(now) : Number.POSITIVE_INFINITY,
    });
  }

  #isBusy(pace: Pace): boolean {
    return this.#rhythm.isBusy(pace) || this.#wish === "leaving";
  }

  #pace(): Pace {
    const workers = Math.max(1, this.#watch.view.livingMembers());
    return paceOf({ workers, leases: this.#watch.view.table.size }, this.#options.failoverTimeMillis);
  }

  #troubled(error: unknown): void {
    this.#rhythm.troubled();
    this.#rescue.reset(); // the owners of untaken leases may not have reached the table either
    this.#reports.failed("lease table", errorClassIn(error), error);
    const isStarting = !this.#takesPart.isOpen;
    if (isStarting && this.#patience.hasEnded("lease table", error)) this.#fail(error as Error);
  }

  #changed(): void {
    this.#watch.wantBump();
    this.#rhythm.changed();
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake.abort();
  }

  #now(): number {
    return this.#ports.clock.monotonicMillis();
  }
}
