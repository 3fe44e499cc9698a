/**
 * One worker's part in the fleet: polls, decides, performs, and hands everything over at the end.
 *
 * Owns: when to poll, and this worker's state. Never does: choose (core decides) or read records (shard tasks do).
 * C1: decisions are made only on a table as new as the newest generation seen (but see `outrun-plans.ts`).
 * C2: this worker leaves only when it holds nothing, claims nothing, and no row names it (`departure.ts`).
 * C3: `start()` rejects within half a minute on what cannot work, and `stop()` resolves within its budget, at any moment.
 *
 *   created ─▶ joining ─▶ active ─▶ leaving ─▶ stopped
 *                 ▲          │ marked dead
 *                 └──────────┴──▶ failed (another process has the worker id; the stream was replaced)
 */
import type { Decisions, Facts } from "../core/decide.ts";
import { StoppedError } from "../core/errors.ts";
import { createByteBudget } from "./byte-budget.ts";
import { Cap } from "./cap.ts";
import { Chores } from "./chores.ts";
import { withDeadlines } from "./deadlines.ts";
import { type DepartureDeps, forceRelease, leaveBriefly, leaveWhenFree } from "./departure.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import { type EntranceDeps, findBeginning, followPredecessor, livingRival, PLACE_LOST } from "./entrance.ts";
import { ErrorReports, errorClassIn, portOf } from "./error-reports.ts";
import { FleetUpkeep } from "./fleet-upkeep.ts";
import { FleetWatch, type Wish } from "./fleet-watch.ts";
import { gate } from "./gate.ts";
import { type FactSources, gatherFacts } from "./gather-facts.ts";
import { guardedObserve } from "./guarded-observe.ts";
import { LeaseAssignment } from "./lease-assignment.ts";
import { LoopWatch } from "./loop-watch.ts";
import { OutrunPlans } from "./outrun-plans.ts";
import { Patience } from "./patience.ts";
import { Rescue } from "./rescue.ts";
import { Rhythm } from "./rhythm.ts";
import { Settling } from "./settling.ts";
import { startShardConsumer } from "./shard-reader.ts";
import { ShardTasks } from "./shard-tasks.ts";
import { StopBudget } from "./stop-budget.ts";
import { IdentifiedStream } from "./stream-identity.ts";
import {
  healthOf,
  Measurements,
  type ReportSources,
  statusOf,
  type WorkerHealth,
  type WorkerState,
} from "./worker-report.ts";

export class Coordinator {
  readonly #ports: Ports & { readonly stream: IdentifiedStream };
  readonly #options: EngineOptions;
  readonly #watch: FleetWatch;
  readonly #loopWatch: LoopWatch;
  readonly #tasks: ShardTasks;
  readonly #upkeep: FleetUpkeep;
  readonly #chores: Chores;
  readonly #assignment: LeaseAssignment;
  readonly #reports: ErrorReports;
  readonly #settling = new Settling();
  readonly #sources: FactSources;
  readonly #own: ReportSources;
  readonly #rescue: Rescue;
  readonly #rhythm: Rhythm;
  readonly #outrunPlans = new OutrunPlans();
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
  readonly #measurements: Measurements;
  /** As last computed, and published with the next look. */
  #cap: number | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<readonly string[]> | undefined;
  #loop: Promise<void> = Promise.resolve();
  /** The entry is written; else the next iteration joins. */
  #isMember = false;
  #failure: Error | undefined;
  #startsOver = false;
  #turnEndedMillis: number;

  constructor(world: Ports, given: EngineOptions) {
    const options = { ...given, observe: guardedObserve(given.observe, world) };
    const { failoverTimeMillis, workerId } = options;
    const timed = withDeadlines(world, failoverTimeMillis);
    const replaced = (error: Error) => this.#streamReplaced(error);
    const ports = { ...timed, stream: new IdentifiedStream({ ...timed, replaced }) };
    this.#ports = ports;
    this.#options = options;
    this.#rhythm = new Rhythm(ports);
    this.#rescue = new Rescue(workerId, failoverTimeMillis);
    const loop = new LoopWatch(ports, failoverTimeMillis);
    this.#loopWatch = loop;
    this.#watch = new FleetWatch(ports, options, loop);
    this.#reports = new ErrorReports(ports, (error) =>
      options.observe({ type: "error", error, hasEnded: false, atMillis: ports.clock.wallMillis() }),
    );
    const reports = this.#reports;
    this.#chores = new Chores(reports);
    const wake = { changed: () => this.#changed(), wakeUp: () => this.#wakeUp() };
    this.#upkeep = new FleetUpkeep({ ports, options, watch: this.#watch, chores: this.#chores, ...wake });
    this.#patience = new Patience({ ...ports, reports }, this.#startEnds.signal);
    this.#budget = new StopBudget(ports.clock);
    this.#turnEndedMillis = ports.clock.monotonicMillis();
    this.#departure = { ports, watch: this.#watch, workerId };
    this.#entrance = { ports, options, membership: this.#watch.membership, patience: this.#patience };
    const whenFresh = (signal: AbortSignal) => this.#watch.whenFresh(signal);
    this.#own = { ports, options, watch: this.#watch, loop, reports, tasks: () => this.#tasks };
    this.#measurements = new Measurements(this.#own);
    const budget = createByteBudget(options.maxBufferedBytes);
    const dependencies = { ...ports, budget, whenFresh, reports, loop, observe: options.observe };
    this.#tasks = new ShardTasks(ports, options, {
      ports,
      options,
      reports,
      watch: this.#watch,
      startConsumer: (owned) => startShardConsumer(dependencies, options, owned),
      targetOf: (key) => this.#assignment.targetOf(key, this.#decisions?.targetOf.get(key)),
      row: (leaseKey) => this.#watch.row(leaseKey),
      syncShards: async () => (await this.#upkeep.syncShards()).shards,
      saw: (lease) => this.#watch.view.wrote(lease),
      distrust: () => this.#watch.distrust(),
      application: () => this.#upkeep.duties.application,
      ...wake,
    });
    const parts = { watch: this.#watch, tasks: this.#tasks, chores: this.#chores, upkeep: this.#upkeep };
    this.#assignment = new LeaseAssignment({ ports, options, ...parts });
    const cap = new Cap(options.maxLeasesForWorker, ports.logger);
    const lacking = () => this.#assignment.lacking();
    this.#sources = { ...parts, loop, rescue: this.#rescue, cap, lacking, failoverTimeMillis };
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
    return this.#starting === undefined ? "created" : this.#watch.membership.stateShown;
  }

  async #enter(): Promise<void> {
    const { store, stream } = this.#ports;
    const join = async () => {
      await followPredecessor(this.#entrance);
      await this.#patience.until("lease table", () => this.#join());
    };
    try {
      // Before anything is written: a wrong name must not become a table and a fleet that waits for ever.
      await this.#patience.until("stream listing", () => stream.listShards());
      await this.#patience.until("lease table", () => store.ensureTable(this.#options.createLeaseTable));
      // Together: the others see the joiner while it still finds out where the application began.
      const failed = (error: unknown) => this.#startEnds.abort(error);
      const begun = this.#begin().catch(failed);
      const beating = join().then(() => this.#watch.beatWhile(begun, this.#wishes, this.#reports));
      await Promise.all([begun, beating.catch(failed)]);
      this.#startEnds.signal.throwIfAborted();
    } catch (error) {
      this.#stopped.abort();
      if (this.#isMember) await leaveBriefly(this.#departure);
      throw error;
    }
    this.#loop = this.#run();
  }

  get #wishes(): Wish {
    const leases = this.#watch.role === "reads" ? undefined : this.#tasks.count;
    return { state: this.#wish, maxLeases: this.#cap, leases };
  }

  async #begin(): Promise<void> {
    this.#upkeep.duties.began(await findBeginning(this.#entrance));
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
    await this.#budget.outlastsInAll(Promise.all([released, this.#loop]));
    return left.map((task) => task.owned.leaseKey);
  }

  /** This worker cannot go on, and says why: its leases are released, and `start()` rejects if it still waits. */
  #fail(error: Error): void {
    if (this.#stopped.signal.aborted) return;
    this.#failure = error;
    const { logger, clock } = this.#ports;
    logger.error({ err: error }, `this worker has ended: ${error.message}`);
    this.#options.observe({ type: "error", error, hasEnded: true, atMillis: clock.wallMillis() });
    this.#chores.start("releasing leases", () =>
      forceRelease(this.#departure, this.#tasks.all, error.message),
    );
    this.#end();
  }

  async #run(): Promise<void> {
    void this.#loopWatch.run(this.#stopped.signal);
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
      this.#measurements.takeWhenDue();
      if (this.#stopped.signal.aborted) return;
      await this.#rhythm.pause(this.#pauseMillis(), this.#wake.signal);
    }
  }

  async #turn(): Promise<void> {
    if (this.#startsOver) await this.#startOver();
    if (!this.#isMember) return this.#join();
    const [pace, wish] = [this.#watch.pace, this.#wishes];
    const isBusy = this.#rhythm.isBusy(pace, this.#wish);
    const seen = await this.#watch.lookAndScan(wish, pace, isBusy);
    if (seen.kind !== "seen") return this.#rejoin(seen.kind);
    const facts = gatherFacts(this.#sources, this.#leavingSinceMillis, this.#now());
    const { mayPlan, role } = this.#watch;
    if (!mayPlan && role !== "reads") this.#follow(facts);
    else {
      const decisions = this.#ports.decide(facts);
      if (mayPlan) this.#perform(decisions);
      else this.#outrun(decisions);
    }
    if (this.#watch.membership.member.state === "leaving" && this.#tasks.areNone) await this.#leave();
  }

  /** C1. Changes outrun our scans: look again soon. A joiner's becoming active and its first cap wait for no plan, nor does what scan after scan says. */
  #outrun(decisions: Decisions): void {
    this.#rhythm.changed();
    const { claims, isCapKnown } = this.#outrunPlans.add(decisions, this.#watch.view.scannedGeneration);
    for (const { lease, reason } of claims) this.#tasks.claim(lease, reason);
    if (isCapKnown || this.#cap === undefined) this.#cap = decisions.cap;
    this.#becomeActive();
  }

  #follow(facts: Facts): void {
    const { membership, view, role } = this.#watch;
    if (role === "follows") {
      this.#decisions = undefined;
      this.#cap = view.size && facts.computeCap(view.size);
    }
    this.#rhythm.saw(this.#assignment.follow(facts, this.#now() - this.#leavingSinceMillis));
    this.#becomeActive();
    if (membership.member.state !== "joining") this.#takesPart.open();
  }

  #perform(decisions: Decisions): void {
    this.#decisions = decisions;
    this.#cap = decisions.cap;
    this.#tasks.perform(decisions);
    this.#upkeep.perform(decisions);
    if (this.#options.leaseRenewal === "lease") {
      this.#chores.start("renewing leases", () => this.#tasks.renew(this.#watch.pace.beatMillis));
    }
    const moving = decisions.changing ? JSON.stringify([...decisions.targetOf]) : "";
    this.#rhythm.saw(`${this.#watch.view.generation} ${moving}`);
    this.#becomeActive();
    const { state } = this.#watch.membership.member;
    if (state !== "joining" && decisions.claim.length === 0 && !this.#tasks.isClaiming)
      this.#takesPart.open();
    this.#assignment.assign(decisions, this.#rescue.due.size > 0);
    this.#rescue.watchOver(this.#watch, decisions.untaken, this.#now());
  }

  #becomeActive(): void {
    if (this.#wish !== "joining" || !this.#settling.isOver(this.#watch.view.members(), this.#now())) return;
    this.#wish = "active";
    this.#wakeUp();
  }

  /** M2. Everything held is dropped before the new incarnation joins: nothing of the old one is written any more. */
  async #rejoin(why: "dead" | "replaced"): Promise<void> {
    this.#ports.logger.warn({ leases: this.#tasks.all.length }, PLACE_LOST[why]);
    await this.#tasks.loseAll("marked dead");
    if (this.#wish === "leaving") return this.#end();
    const rival = why === "replaced" ? await livingRival(this.#entrance) : undefined;
    if (rival !== undefined) return this.#fail(rival);
    this.#wish = "joining";
    this.#isMember = false;
    await this.#join();
  }

  /** Every worker finds out by itself: its own reads are refused. */
  #streamReplaced(error: Error): void {
    this.#startsOver = this.#options.onStreamReplaced === "start-over";
    if (this.#startsOver) this.#wakeUp();
    else this.#fail(error);
  }

  async #startOver(): Promise<void> {
    await this.#tasks.loseAll("the stream was replaced");
    this.#ports.stream.bind(undefined);
    await this.#begin();
    this.#startsOver = false;
    if (this.#wish === "leaving") return;
    this.#wish = "joining";
    this.#isMember = false;
  }

  async #leave(): Promise<void> {
    await this.#chores.done();
    const parts = { tasks: this.#tasks, stopped: this.#stopped.signal, ended: () => this.#end() };
    if ((await leaveWhenFree(this.#departure, parts)) === "is named") this.#wakeUp();
  }

  #end(): void {
    this.#stopped.abort();
    this.#watch.close();
    this.#takesPart.open();
    void this.#tasks.close();
    this.#wakeUp();
  }

  #pauseMillis(): number {
    const { pace } = this.#watch;
    const now = this.#now();
    return this.#rhythm.pauseMillis(pace, this.#rhythm.isBusy(pace, this.#wish), {
      untilBeatMillis: pace.beatMillis - (now - this.#watch.membership.sentMillis),
      untilActiveMillis: this.#wish === "joining" ? this.#settling.leftMillis(now) : Number.POSITIVE_INFINITY,
    });
  }

  #troubled(error: unknown): void {
    this.#rhythm.troubled();
    this.#rescue.reset(); // the owners of untaken leases may not have reached the table either
    this.#reports.failed(portOf(error), errorClassIn(error), error);
    if (!this.#takesPart.isOpen && this.#patience.hasEnded("lease table", error)) this.#fail(error as Error);
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
