/**
 * The fleet of one row, and everything a row may do to it. Events that the proof needs go into the row's
 * history.
 */
import { join } from "node:path";
import type { FaultKind } from "../../local/index.ts";
import type { HistoryEvent } from "../../services/contract/history.ts";
import { systemClock } from "../../src/platform.ts";
import { type Random, seededRandom } from "../../src/ports/random.ts";
import type { ConsumerProcess, Ending } from "./consumer-process.ts";
import { Load } from "./load.ts";
import { pick, pickSome } from "./pick.ts";
import type { Conduct } from "./protocol.ts";
import type { RowCheck } from "./row.ts";
import { logFolder } from "./said.ts";
import { isEven, type Sampler } from "./sampler.ts";
import type { Site } from "./site.ts";
import type { StreamUnderTest } from "./stream-under-test.ts";
import type { TableByHand } from "./table-by-hand.ts";

/**
 * Work that another worker may repeat: processed by `worker` (or from `shardId`) since a little before
 * `from`.
 */
export interface Excuse {
  readonly worker?: string;
  readonly shardId?: string;
  readonly from: number;
  readonly until: number;
}

export interface Fault {
  readonly kind: FaultKind;
  /** `DynamoDB.*`, `Kinesis.GetRecords`, … */
  readonly operations: readonly string[];
  /** Absent: every worker of the row. */
  readonly only?: ConsumerProcess;
  readonly probability?: number;
  readonly delayMillis?: number;
  readonly error?: string;
}

export interface LaunchOptions {
  /** Default: the next free name. */
  readonly workerId?: string;
  /** Default: the row's. */
  readonly failoverTimeMillis?: number;
}

export interface FleetDeps {
  readonly name: string;
  readonly site: Site;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly failoverTimeMillis: number;
  readonly checkpointIntervalMillis: number;
  readonly folder: string;
  readonly historyDirectory: string;
  readonly stream: StreamUnderTest;
  readonly table: TableByHand;
  readonly sampler: Sampler;
  readonly write: (event: HistoryEvent) => void;
  /** Durations of faults are multiplied by it. */
  readonly scale: number;
}

/** Far below the 30 s of ECS and Kubernetes: a handler of the campaign returns at once. */
export const STOP_BUDGET_MILLIS = 8_000;
/** Twice the default: kinesis-local answers some 60 calls a second, and several fleets share it. */
const IDLE_TIME_BETWEEN_READS_MILLIS = 2_000;
const START_DEADLINE_MILLIS = 60_000;
/** A record that is not processed by then, after the load, is lost. */
const LOST_AFTER_MILLIS = 40_000;
/** The engine's default of `retry.maxDelayMillis`. */
const LONGEST_RETRY_PAUSE_MILLIS = 30_000;

export class FleetUnderTest {
  readonly #deps: FleetDeps;
  readonly #all: ConsumerProcess[] = [];
  readonly checks: RowCheck[] = [];
  readonly excuses: Excuse[] = [];
  readonly #faultIds = new Set<string>();
  #troubleAt: number | undefined;
  #healedAt: number | undefined;
  #stoppingAt: number | undefined;
  #pauseMillis = 0;
  #nextNumber = 1;
  #load: Load | undefined;

  constructor(deps: FleetDeps) {
    this.#deps = deps;
  }

  get random(): Random {
    return this.#deps.random;
  }

  get stream(): StreamUnderTest {
    return this.#deps.stream;
  }

  get table(): TableByHand {
    return this.#deps.table;
  }

  get failoverTimeMillis(): number {
    return this.#deps.failoverTimeMillis;
  }

  /** Every process of the row, running or ended. */
  get all(): readonly ConsumerProcess[] {
    return this.#all;
  }

  get running(): ConsumerProcess[] {
    return this.#all.filter((worker) => worker.ending === undefined);
  }

  get troubleAt(): number | undefined {
    return this.#troubleAt;
  }

  get healedAt(): number | undefined {
    return this.#healedAt;
  }

  get stoppingAt(): number | undefined {
    return this.#stoppingAt;
  }

  /**
   * A failing batch is retried after growing pauses: at the end of an outage the pause is as long as the
   * outage.
   */
  pausesAfterFailing(outageMillis: number): void {
    this.#pauseMillis = Math.min(outageMillis, LONGEST_RETRY_PAUSE_MILLIS);
  }

  /** How long a record may wait beyond the bound. */
  get pauseMillis(): number {
    return this.#pauseMillis;
  }

  /** How long a fault lasts: longer with `--all`. */
  lasting(millis: number): number {
    return Math.round(millis * this.#deps.scale);
  }

  // Processes

  /** Starts a process and does not wait for it. */
  launch(options: LaunchOptions = {}): ConsumerProcess {
    const { site, name, folder } = this.#deps;
    const workerId = options.workerId ?? `w${this.#nextNumber++}`;
    const worker = site.startConsumer({
      caller: `${name}.${workerId}`,
      input: {
        workerId,
        applicationName: name,
        streamName: name,
        failoverTimeMillis: options.failoverTimeMillis ?? this.failoverTimeMillis,
        shardSyncIntervalMillis: 2_000,
        checkpointIntervalMillis: this.#deps.checkpointIntervalMillis,
        idleTimeBetweenReadsMillis: IDLE_TIME_BETWEEN_READS_MILLIS,
        stopBudgetMillis: STOP_BUDGET_MILLIS,
        historyDirectory: this.#deps.historyDirectory,
        logFile: join(logFolder(folder), `${workerId}.jsonl`),
      },
    });
    this.#all.push(worker);
    return worker;
  }

  /**
   * Starts processes one by one, so that a busy machine is not overloaded, and waits until each is active.
   */
  async start(count: number, options: LaunchOptions = {}): Promise<ConsumerProcess[]> {
    const started = Array.from({ length: count }, () => this.launch(options));
    for (const worker of started) await this.within(START_DEADLINE_MILLIS, "joining", worker.joined);
    return started;
  }

  kill(worker: ConsumerProcess): void {
    this.#mark("task-killed", worker);
    worker.signal("SIGKILL");
    const now = systemClock.wallMillis();
    this.excuses.push({ worker: worker.workerId, from: now, until: now });
  }

  /** SIGSTOP, and SIGCONT after `millis`. `excused`: the other workers may mark it dead. */
  async pause(worker: ConsumerProcess, millis: number, excused: boolean): Promise<void> {
    if (excused) this.#mark("task-killed", worker);
    const from = systemClock.wallMillis();
    worker.signal("SIGSTOP");
    await this.sleep(millis);
    worker.signal("SIGCONT");
    // The worker finishes the batch that was in flight before it can notice.
    if (excused) this.excuse(worker, from, systemClock.wallMillis() + 2_000);
  }

  /** SIGTERM; resolves when it has ended. A worker that is stopped must end within its budget. */
  async terminate(worker: ConsumerProcess): Promise<Ending | undefined> {
    const asked = systemClock.monotonicMillis();
    worker.signal("SIGTERM");
    const limit = STOP_BUDGET_MILLIS + 4_000;
    const ending = await Promise.race([worker.ended, this.sleep(limit).then(() => undefined)]);
    const took = ending === undefined ? undefined : Math.round(ending.atMillis - asked);
    this.checks.push({
      name: `${worker.workerId} stops within its budget`,
      expected: `exit 0 within ${limit} ms`,
      actual:
        ending === undefined ? "still runs" : `${ending.signal ?? `exit ${ending.code}`} after ${took} ms`,
      ok: ending?.code === 0,
    });
    if (ending === undefined) this.kill(worker);
    return ending;
  }

  /** The other workers may repeat what `worker` did from `from` on (and since its last checkpoint before). */
  excuse(worker: ConsumerProcess, from: number, until: number): void {
    this.excuses.push({ worker: worker.workerId, from, until });
  }

  /** Like `excuse`, from now on. The experiment's checkers recognise it by the same mark as a kill. */
  excuseFromNow(worker: ConsumerProcess, millis: number): void {
    this.#mark("task-killed", worker);
    const now = systemClock.wallMillis();
    this.excuse(worker, now, now + millis);
  }

  excuseShard(shardId: string, millis: number): void {
    const now = systemClock.wallMillis();
    this.excuses.push({ shardId, from: now, until: now + millis });
  }

  conduct(conduct: Conduct, workers: readonly ConsumerProcess[] = this.running): void {
    for (const worker of workers) worker.conduct(conduct);
  }

  any(): ConsumerProcess {
    return pick(this.running, this.random);
  }

  some(count: number): ConsumerProcess[] {
    return pickSome(this.running, count, this.random);
  }

  // Faults

  async fault({ kind, operations, only, probability, delayMillis, error }: Fault): Promise<void> {
    const { site, name } = this.#deps;
    for (const operation of operations) {
      const { id } = await site.admin.addFault({
        operation,
        fault: kind,
        caller: only === undefined ? `${name}.*` : `${name}.${only.workerId}`,
        ...(probability !== undefined && { probability, seed: Math.floor(this.random.next() * 2 ** 32) }),
        ...(delayMillis !== undefined && { delayMillis }),
        ...(error !== undefined && { error }),
      });
      this.#faultIds.add(id);
    }
  }

  async clearFaults(): Promise<void> {
    for (const id of this.#faultIds) await this.#deps.site.admin.clearFaults(id);
    this.#faultIds.clear();
  }

  // Load

  load(rate: number): void {
    const { name, historyDirectory, site } = this.#deps;
    // A prng of its own: the number of records must not change what the row draws.
    const random = seededRandom(Math.floor(this.random.next() * 2 ** 32));
    this.#load = new Load({ client: site.loadClient, streamName: name, rate, historyDirectory, random });
  }

  async stopLoad(): Promise<void> {
    await this.#load?.stop();
  }

  /**
   * Ends the load and waits until every record is processed. If some are not, the checker of losses reports
   * them.
   */
  async drain(): Promise<void> {
    await this.stopLoad();
    const deadline = systemClock.monotonicMillis() + LOST_AFTER_MILLIS;
    while ((await this.#deps.sampler.flow()).pending > 0 && systemClock.monotonicMillis() < deadline)
      await this.sleep(200);
  }

  // Time

  /** The fault begins: from now on it must be reported. */
  begins(): void {
    this.#troubleAt ??= systemClock.wallMillis();
  }

  /** From now on every shard must be read within the failover time and five seconds. */
  healed(): void {
    this.#healedAt = systemClock.wallMillis();
  }

  /** SIGTERM to all running workers: the end of the row. */
  async stop(): Promise<void> {
    this.#stoppingAt = systemClock.wallMillis();
    await Promise.all(this.running.map((worker) => this.terminate(worker)));
  }

  async sleep(millis: number): Promise<void> {
    await systemClock.sleep(millis, this.#deps.signal);
    this.#deps.signal.throwIfAborted();
  }

  /** Polls until the condition holds. False: it did not hold in time. */
  async until(millis: number, holds: () => boolean): Promise<boolean> {
    const deadline = systemClock.monotonicMillis() + millis;
    while (!holds()) {
      if (systemClock.monotonicMillis() > deadline) return false;
      await this.sleep(100);
    }
    return true;
  }

  async within<T>(millis: number, what: string, work: Promise<T>): Promise<T> {
    const late = this.sleep(millis).then(() => {
      throw new Error(`${what} took longer than ${millis} ms`);
    });
    late.catch(() => undefined); // also rejects when the campaign is interrupted after the work is done
    return Promise.race([work, late]);
  }

  isEven(): boolean {
    const { latest } = this.#deps.sampler;
    const workers = this.running.map(({ workerId }) => workerId);
    return latest !== undefined && isEven(latest, workers);
  }

  #mark(name: string, worker: ConsumerProcess): void {
    this.#deps.write({ type: "event", t: systemClock.wallMillis(), name, worker: worker.workerId });
  }
}
