/**
 * The main loop of one worker: polls the fleet, decides, performs the decisions, and hands over all leases
 * when it stops.
 *
 * Owns: the loop, when it polls, and this worker's state.
 * Never does: choose the owner of a lease (core decides) or read records (shard tasks do).
 *
 * C1: decisions are made only from a table that is as new as the newest fleet version read. The exceptions
 *     are in `outrun-plans.ts` and in `FleetPoller.mayPlan`.
 * C2: this worker leaves only when it holds no lease, claims none, and no row names it as the owner
 *     (`leaving.ts`).
 * C3: `start()` rejects within half a minute if it cannot succeed. `stop()` resolves within its budget,
 *     whenever it is called.
 *
 *   created ─▶ joining ─▶ active ─▶ leaving ─▶ stopped
 *                 ▲          │ marked dead
 *                 └──────────┴──▶ failed (another process has the worker id; the stream was replaced)
 */
import type { Decisions } from "../core/decide.ts";
import { StoppedError } from "../core/errors.ts";
import type { Facts } from "../core/facts.ts";
import { BackgroundTasks } from "./background-tasks.ts";
import {
  type BeginningDeps,
  findBeginning,
  followPredecessor,
  livingRival,
  PLACE_LOST,
} from "./beginning.ts";
import { Cap } from "./cap.ts";
import { withDeadlines } from "./deadlines.ts";
import { deferred } from "./deferred.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import { ErrorReports, errorClassIn, portOf } from "./error-reports.ts";
import { FleetMaintenance } from "./fleet-maintenance.ts";
import { type DesiredEntry, FleetPoller } from "./fleet-poller.ts";
import { type FactSources, gatherFacts } from "./gather-facts.ts";
import { guardedObserve } from "./guarded-observe.ts";
import { JoinDebounce } from "./join-debounce.ts";
import { LeaseAssignment } from "./lease-assignment.ts";
import { forceRelease, type LeavingDeps, leaveBriefly, leaveWhenFree } from "./leaving.ts";
import { LoopWatch } from "./loop-watch.ts";
import { OutrunPlans } from "./outrun-plans.ts";
import { PollSchedule } from "./poll-schedule.ts";
import { createByteBudget } from "./reader/byte-budget.ts";
import { startShardConsumer } from "./reader/shard-reader.ts";
import { Rescue } from "./rescue.ts";
import { ShardTasks } from "./shard-tasks.ts";
import { StartRetries } from "./start-retries.ts";
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
  readonly #poller: FleetPoller;
  readonly #loopWatch: LoopWatch;
  readonly #tasks: ShardTasks;
  readonly #maintenance: FleetMaintenance;
  readonly #backgroundTasks: BackgroundTasks;
  readonly #assignment: LeaseAssignment;
  readonly #reports: ErrorReports;
  readonly #joinDebounce = new JoinDebounce();
  readonly #sources: FactSources;
  readonly #own: ReportSources;
  readonly #rescue: Rescue;
  readonly #schedule: PollSchedule;
  readonly #outrunPlans = new OutrunPlans();
  readonly #stopped = new AbortController();
  readonly #takesPart = deferred();
  /** Aborts everything that a start waits for. */
  readonly #startEnds = new AbortController();
  readonly #startRetries: StartRetries;
  readonly #budget: StopBudget;
  readonly #leaving: LeavingDeps;
  readonly #beginning: BeginningDeps;
  #decisions: Decisions | undefined;
  #wake = new AbortController();
  #desired: "joining" | "active" | "leaving" = "joining";
  #leavingSinceMillis = Number.POSITIVE_INFINITY;
  readonly #measurements: Measurements;
  /** As last computed. The next poll publishes it. */
  #cap: number | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<readonly string[]> | undefined;
  #loop: Promise<void> = Promise.resolve();
  /** This worker's entry is written. While false, the next iteration of the loop joins. */
  #isMember = false;
  #failure: Error | undefined;
  #startsOver = false;
  #iterationEndedMillis: number;

  constructor(world: Ports, given: EngineOptions) {
    const options = { ...given, observe: guardedObserve(given.observe, world) };
    const { failoverTimeMillis, workerId } = options;
    const timed = withDeadlines(world, failoverTimeMillis);
    const replaced = (error: Error) => this.#streamReplaced(error);
    const ports = { ...timed, stream: new IdentifiedStream({ ...timed, replaced }) };
    this.#ports = ports;
    this.#options = options;
    this.#schedule = new PollSchedule(ports);
    this.#rescue = new Rescue(workerId, failoverTimeMillis);
    const loop = new LoopWatch(ports, failoverTimeMillis);
    this.#loopWatch = loop;
    this.#poller = new FleetPoller(ports, options, loop);
    this.#reports = new ErrorReports(ports, (error) =>
      options.observe({ type: "error", error, hasEnded: false, atMillis: ports.clock.wallMillis() }),
    );
    const reports = this.#reports;
    this.#backgroundTasks = new BackgroundTasks(reports);
    const wake = { changed: () => this.#changed(), wakeUp: () => this.#wakeUp() };
    this.#maintenance = new FleetMaintenance({
      ports,
      options,
      poller: this.#poller,
      backgroundTasks: this.#backgroundTasks,
      ...wake,
    });
    this.#startRetries = new StartRetries({ ...ports, reports }, this.#startEnds.signal);
    this.#budget = new StopBudget(ports.clock);
    this.#iterationEndedMillis = ports.clock.monotonicMillis();
    this.#leaving = { ports, poller: this.#poller, workerId };
    this.#beginning = {
      ports,
      options,
      membership: this.#poller.membership,
      startRetries: this.#startRetries,
    };
    const whenFresh = (signal: AbortSignal) => this.#poller.whenFresh(signal);
    this.#own = { ports, options, poller: this.#poller, loop, reports, tasks: () => this.#tasks };
    this.#measurements = new Measurements(this.#own);
    const budget = createByteBudget(options.maxBufferedBytes);
    const deps = { ...ports, budget, whenFresh, reports, loop, observe: options.observe };
    this.#tasks = new ShardTasks(ports, options, {
      ports,
      options,
      reports,
      poller: this.#poller,
      startConsumer: (owned) => startShardConsumer(deps, options, owned),
      targetOf: (key) => this.#assignment.targetOf(key, this.#decisions?.targetOf.get(key)),
      row: (leaseKey) => this.#poller.row(leaseKey),
      syncShards: async () => (await this.#maintenance.syncShards()).shards,
      saw: (lease) => this.#poller.cache.wrote(lease),
      distrust: () => this.#poller.distrust(),
      application: () => this.#maintenance.duties.application,
      ...wake,
    });
    const parts = {
      poller: this.#poller,
      tasks: this.#tasks,
      backgroundTasks: this.#backgroundTasks,
      maintenance: this.#maintenance,
    };
    this.#assignment = new LeaseAssignment({ ports, options, ...parts });
    const cap = new Cap(options.maxLeasesForWorker, ports.logger);
    const underfilled = () => this.#assignment.underfilled();
    this.#sources = { ...parts, loop, rescue: this.#rescue, cap, underfilled, failoverTimeMillis };
  }

  /**
   * Resolves when this worker takes part (C3): it is active, and it owns the leases that were planned for it.
   * @throws the reason why the worker cannot start, or has ended by itself
   */
  async start(): Promise<void> {
    this.#starting ??= this.#enter();
    await this.#starting;
    await this.#takesPart.promise;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /**
   * Hands over all leases and leaves the fleet. A second call may shorten the budget.
   * @param budgetMillis after this time, running handlers are aborted and their leases are force-released at
   *   the last known progress
   * @returns the keys of the force-released leases
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
    return healthOf(this.#own, this.#state, this.#failure, this.#iterationEndedMillis);
  }

  resume(leaseKey: string): boolean {
    return this.#tasks.resume(leaseKey);
  }

  get #state(): WorkerState {
    if (this.#failure !== undefined) return "failed";
    if (this.#stopped.signal.aborted) return "stopped";
    return this.#starting === undefined ? "created" : this.#poller.membership.stateShown;
  }

  async #enter(): Promise<void> {
    const { store, stream } = this.#ports;
    const join = async () => {
      await followPredecessor(this.#beginning);
      await this.#startRetries.until("lease table", () => this.#join());
    };
    try {
      // List first, before anything is written: a misspelled stream name must not create a table, and a fleet
      // that waits for ever.
      await this.#startRetries.until("stream listing", () => stream.listShards());
      await this.#startRetries.until("lease table", () => store.ensureTable(this.#options.createLeaseTable));
      // Join while the beginning of the application is still being looked up, so that other workers already
      // know the joiner.
      const failed = (error: unknown) => this.#startEnds.abort(error);
      const begun = this.#begin().catch(failed);
      const heartbeats = join().then(() =>
        this.#poller.heartbeatWhile(begun, this.#desiredEntry, this.#reports),
      );
      await Promise.all([begun, heartbeats.catch(failed)]);
      this.#startEnds.signal.throwIfAborted();
    } catch (error) {
      this.#stopped.abort();
      if (this.#isMember) await leaveBriefly(this.#leaving);
      throw error;
    }
    this.#loop = this.#run();
  }

  get #desiredEntry(): DesiredEntry {
    const leases = this.#poller.role === "reads" ? undefined : this.#tasks.count;
    return { state: this.#desired, maxLeases: this.#cap, leases };
  }

  async #begin(): Promise<void> {
    this.#maintenance.duties.began(await findBeginning(this.#beginning));
  }

  async #join(): Promise<void> {
    this.#decisions = this.#cap = undefined;
    this.#rescue.reset();
    await this.#poller.join();
    this.#isMember = true;
    this.#joinDebounce.begin(this.#now());
  }

  async #shutDown(): Promise<readonly string[]> {
    this.#desired = "leaving";
    this.#leavingSinceMillis = this.#now();
    this.#startEnds.abort(new StoppedError());
    this.#wakeUp();
    // A start that failed has already rejected to its caller, and there is nothing to hand over.
    const entered = (this.#starting ?? Promise.resolve()).catch(() => undefined);
    const drained = entered.then(() => this.#loop).then(() => this.#backgroundTasks.done());
    if (await this.#budget.outlasts(drained)) return [];
    const left = this.#tasks.all;
    // Release before `#end()`, which wakes the readers that wait for a fresh heartbeat: they must not call a
    // handler any more.
    const released = forceRelease(this.#leaving, left, "the stop budget is spent");
    this.#end();
    await this.#budget.outlastsInAll(Promise.all([released, this.#loop]));
    return left.map((task) => task.owned.leaseKey);
  }

  /**
   * Ends this worker because of an error. Its leases are released, and a pending `start()` rejects with the
   * error.
   */
  #fail(error: Error): void {
    if (this.#stopped.signal.aborted) return;
    this.#failure = error;
    const { logger, clock } = this.#ports;
    logger.error({ err: error }, `this worker has ended: ${error.message}`);
    this.#options.observe({ type: "error", error, hasEnded: true, atMillis: clock.wallMillis() });
    this.#backgroundTasks.start("releasing leases", () =>
      forceRelease(this.#leaving, this.#tasks.all, error.message),
    );
    this.#end();
  }

  async #run(): Promise<void> {
    void this.#loopWatch.run(this.#stopped.signal);
    while (!this.#stopped.signal.aborted) {
      this.#wake = new AbortController();
      try {
        await this.#iterate();
        this.#schedule.wentWell();
        this.#reports.recovered("lease table");
      } catch (error) {
        this.#failedIteration(error);
      }
      this.#iterationEndedMillis = this.#now();
      this.#measurements.takeWhenDue();
      if (this.#stopped.signal.aborted) return;
      await this.#schedule.pause(this.#pauseMillis(), this.#wake.signal);
    }
  }

  async #iterate(): Promise<void> {
    if (this.#startsOver) await this.#startOver();
    if (!this.#isMember) return this.#join();
    const [intervals, desired] = [this.#poller.intervals, this.#desiredEntry];
    const isBusy = this.#schedule.isBusy(intervals, this.#desired);
    const seen = await this.#poller.pollAndScan(desired, intervals, isBusy);
    if (seen.kind !== "seen") return this.#rejoin(seen.kind);
    const facts = gatherFacts(this.#sources, this.#leavingSinceMillis, this.#now());
    const { mayPlan, role } = this.#poller;
    if (!mayPlan && role !== "reads") this.#follow(facts);
    else {
      const decisions = this.#ports.decide(facts);
      if (mayPlan) this.#perform(decisions);
      else this.#outrun(decisions);
    }
    if (this.#poller.membership.member.state === "leaving" && this.#tasks.areNone) await this.#leave();
  }

  /**
   * C1. The table changes faster than this worker can scan it: poll again soon. Three things do not wait for
   * a plan from a current table: becoming active, the first cap, and what scan after scan repeats
   * (`outrun-plans.ts`).
   */
  #outrun(decisions: Decisions): void {
    this.#schedule.changed();
    const { claims, isCapKnown } = this.#outrunPlans.add(decisions, this.#poller.cache.scannedFleetVersion);
    for (const { lease, reason } of claims) this.#tasks.claim(lease, reason);
    if (isCapKnown || this.#cap === undefined) this.#cap = decisions.cap;
    this.#becomeActive();
  }

  #follow(facts: Facts): void {
    const { membership, cache, role } = this.#poller;
    if (role === "follows") {
      this.#decisions = undefined;
      this.#cap = cache.size && facts.computeCap(cache.size);
    }
    this.#schedule.saw(this.#assignment.follow(facts, this.#now() - this.#leavingSinceMillis));
    this.#becomeActive();
    if (membership.member.state !== "joining") this.#takesPart.open();
  }

  #perform(decisions: Decisions): void {
    this.#decisions = decisions;
    this.#cap = decisions.cap;
    this.#tasks.perform(decisions);
    this.#maintenance.perform(decisions);
    if (this.#options.leaseRenewal === "lease") {
      this.#backgroundTasks.start("renewing leases", () =>
        this.#tasks.renew(this.#poller.intervals.heartbeatMillis),
      );
    }
    const moving = decisions.changing ? JSON.stringify([...decisions.targetOf]) : "";
    this.#schedule.saw(`${this.#poller.cache.version} ${moving}`);
    this.#becomeActive();
    const { state } = this.#poller.membership.member;
    if (state !== "joining" && decisions.claim.length === 0 && !this.#tasks.isClaiming)
      this.#takesPart.open();
    this.#assignment.assign(decisions, this.#rescue.due.size > 0);
    this.#rescue.watchOver(this.#poller, decisions.untaken, this.#now());
  }

  #becomeActive(): void {
    if (this.#desired !== "joining" || !this.#joinDebounce.isOver(this.#poller.cache.members(), this.#now()))
      return;
    this.#desired = "active";
    this.#wakeUp();
  }

  /** M2. Drops all leases before the new incarnation joins: the old incarnation writes nothing any more. */
  async #rejoin(why: "dead" | "replaced"): Promise<void> {
    this.#ports.logger.warn({ leases: this.#tasks.all.length }, PLACE_LOST[why]);
    await this.#tasks.markAllLost("marked dead");
    if (this.#desired === "leaving") return this.#end();
    const rival = why === "replaced" ? await livingRival(this.#beginning) : undefined;
    if (rival !== undefined) return this.#fail(rival);
    this.#desired = "joining";
    this.#isMember = false;
    await this.#join();
  }

  /** Each worker detects this by itself, because Kinesis refuses its reads. */
  #streamReplaced(error: Error): void {
    this.#startsOver = this.#options.onStreamReplaced === "start-over";
    if (this.#startsOver) this.#wakeUp();
    else this.#fail(error);
  }

  async #startOver(): Promise<void> {
    await this.#tasks.markAllLost("the stream was replaced");
    this.#ports.stream.bind(undefined);
    await this.#begin();
    this.#startsOver = false;
    if (this.#desired === "leaving") return;
    this.#desired = "joining";
    this.#isMember = false;
  }

  async #leave(): Promise<void> {
    await this.#backgroundTasks.done();
    const parts = { tasks: this.#tasks, stopped: this.#stopped.signal, ended: () => this.#end() };
    if ((await leaveWhenFree(this.#leaving, parts)) === "is named") this.#wakeUp();
  }

  #end(): void {
    this.#stopped.abort();
    this.#poller.close();
    this.#takesPart.open();
    void this.#tasks.close();
    this.#wakeUp();
  }

  #pauseMillis(): number {
    const { intervals } = this.#poller;
    const now = this.#now();
    return this.#schedule.pauseMillis(intervals, this.#schedule.isBusy(intervals, this.#desired), {
      untilHeartbeatMillis: intervals.heartbeatMillis - (now - this.#poller.membership.sentMillis),
      untilActiveMillis:
        this.#desired === "joining" ? this.#joinDebounce.leftMillis(now) : Number.POSITIVE_INFINITY,
    });
  }

  #failedIteration(error: unknown): void {
    this.#schedule.failed();
    this.#rescue.reset(); // The owners of untaken leases may have failed to reach the table too.
    this.#reports.failed(portOf(error), errorClassIn(error), error);
    if (!this.#takesPart.isOpen && this.#startRetries.hasEnded("lease table", error))
      this.#fail(error as Error);
  }

  #changed(): void {
    this.#poller.wantBump();
    this.#schedule.changed();
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake.abort();
  }

  #now(): number {
    return this.#ports.clock.monotonicMillis();
  }
}
