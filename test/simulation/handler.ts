/**
 * The simulated user's handlers and what they add to the history. They take time, checkpoint at random, and
 * fail on poison records. A record counts as handled when the call that had it succeeded in time, or when the
 * engine accepted a checkpoint that covers it.
 */
import { CheckpointRefusedError } from "../../src/core/errors.ts";
import type { ConsumerRecord } from "../../src/core/record.ts";
import type {
  ProcessRecordsInput,
  ShardEnded,
  ShutdownRequested,
} from "../../src/engine/reader/reader-options.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Swarm } from "./swarm.ts";
import type { History } from "./world/history.ts";
import { type Prng, textHash } from "./world/prng.ts";
import type { SimProcess } from "./world/sim-clock.ts";

/** Shared by all workers of a run: moving a record to another worker does not repair it. */
export class PoisonRecords {
  readonly #swarm: Swarm;
  readonly #calls = new Map<string, number>();
  readonly #refusals = new Map<string, number>();
  readonly #failedBatches = new Set<string>();
  repaired = false;

  constructor(swarm: Swarm) {
    this.#swarm = swarm;
  }

  /** The first record that fails the call. Each query counts as one call. */
  firstPoison(records: readonly ConsumerRecord[]): number {
    const { poisonOneIn, poisonCalls, seed } = this.#swarm;
    if (poisonOneIn === 0 || this.repaired) return -1;
    return records.findIndex(({ sequenceNumber }) => {
      if (textHash(sequenceNumber, seed) % poisonOneIn !== 0) return false;
      const calls = (this.#calls.get(sequenceNumber) ?? 0) + 1;
      this.#calls.set(sequenceNumber, calls);
      return calls <= poisonCalls;
    });
  }

  /** Batches that fail once, whatever they contain. */
  failsOnce(records: readonly ConsumerRecord[]): boolean {
    const first = records[0]?.sequenceNumber ?? "";
    if (this.#failedBatches.has(first)) return false;
    this.#failedBatches.add(first);
    return true;
  }

  deadLetterRefuses({ sequenceNumber }: ConsumerRecord): boolean {
    const refusals = (this.#refusals.get(sequenceNumber) ?? 0) + 1;
    this.#refusals.set(sequenceNumber, refusals);
    return refusals <= this.#swarm.deadLetterFailures && !this.repaired;
  }
}

export interface HandlerDeps {
  readonly worker: string;
  readonly swarm: Swarm;
  readonly process: SimProcess;
  readonly clock: Clock;
  readonly history: History;
  readonly poisonRecords: PoisonRecords;
  /** Of the first generation of draws. */
  readonly prng: Prng;
  readonly profilePrng: Prng;
  readonly faultPrng: Prng;
  readonly faultsOn: () => boolean;
}

/**
 * How long a hanging call that ignores its signal continues after the signal: longer than the engine's grace
 * period.
 */
const IGNORED_MILLIS = { low: 6_000, high: 9_000 };
const LATE_MILLIS = { low: 50, high: 3_000 };
/** Timers of a process fire early by a rounding error. */
const SLACK_MILLIS = 1e-3;

export class SimHandler {
  readonly #parts: HandlerDeps;
  /** By shard: the furthest record given. A failing record is given again after later ones. */
  readonly #furthest = new Map<string, ConsumerRecord>();
  /** By shard: the last record of the newest call that succeeded. */
  readonly #finished = new Map<string, ConsumerRecord>();

  constructor(parts: HandlerDeps) {
    this.#parts = parts;
  }

  readonly processRecords = async (input: ProcessRecordsInput): Promise<void> => {
    const { history, worker, clock, swarm } = this.#parts;
    const { shardId, records, signal } = input;
    const { processTimeoutMillis: limit = Number.POSITIVE_INFINITY } = swarm;
    const startedAt = clock.monotonicMillis();
    const sequenceNumbers = records.map((record) => record.sequenceNumber);
    const last = records[records.length - 1]!;
    const furthest = this.#furthest.get(shardId);
    if (furthest === undefined || isBefore(furthest, last)) this.#furthest.set(shardId, last);
    // The signal also aborts for a lost lease. Only a call that exceeded its time limit has failed.
    const isTooLate = () => signal.aborted && clock.monotonicMillis() - startedAt >= limit - SLACK_MILLIS;
    const onAbort = () => {
      if (isTooLate()) history.add({ type: "threw", worker, shardId, sequenceNumbers });
    };
    signal.addEventListener("abort", onAbort, { once: true });
    let told = 0;
    try {
      told = await this.#work(input);
    } catch (error) {
      if (!signal.aborted) history.add({ type: "threw", worker, shardId, sequenceNumbers });
      throw error;
    }
    const rest = sequenceNumbers.slice(told);
    if (isTooLate()) return history.add({ type: "too-late", worker, shardId, sequenceNumbers: rest });
    this.#finished.set(shardId, last);
    if (rest.length > 0) history.add({ type: "handled", worker, shardId, sequenceNumbers: rest });
    this.#checkpointAtTheEnd(input);
  };

  readonly deadLetter = (record: ConsumerRecord): void => {
    const { history, worker, poisonRecords } = this.#parts;
    const { sequenceNumber } = record;
    const taken = !poisonRecords.deadLetterRefuses(record);
    history.add({ type: "dead-letter", worker, sequenceNumber, taken });
    if (!taken) throw new Error("the queue of dead letters failed, as drawn");
  };

  readonly shutdownRequested: ShutdownRequested = async ({ shardId, checkpoint }) => {
    const { checkpointsAtShutdown, checkpointMode } = this.#parts.swarm;
    if (checkpointMode !== "manual" || checkpointsAtShutdown === "never") return;
    const [finished, given] = [this.#finished.get(shardId), this.#furthest.get(shardId)];
    if (checkpointsAtShutdown === "finished") {
      if (finished !== undefined) this.#checkpoint(shardId, () => checkpoint(finished), finished);
    } else if (given !== undefined) this.#checkpoint(shardId, () => checkpoint(), given, { named: false });
  };

  /** At the end of a shard, KCL demands that all given records are done. */
  readonly shardEnded: ShardEnded = ({ shardId, checkpoint }) => {
    const given = this.#furthest.get(shardId);
    if (this.#parts.swarm.checkpointMode !== "manual" || given === undefined) return;
    this.#checkpoint(shardId, () => checkpoint(), given, { named: false });
  };

  /** @returns how many of the records are already reported as handled */
  async #work(input: ProcessRecordsInput): Promise<number> {
    const { swarm, clock, prng, poisonRecords } = this.#parts;
    const { records, signal } = input;
    const { low, high } = swarm.handlerMillis;
    if (high > 0) await clock.sleep(this.#inTimeWhenRepaired(prng.between(low, high)));
    await this.#blockLoop(input.shardId, records.length);
    if (this.#isDownstreamDown()) throw new Error("downstream is down, as drawn");
    if (prng.chance(swarm.handlerFailures) && poisonRecords.failsOnce(records))
      throw new Error("the handler failed, as drawn");
    const poison = poisonRecords.firstPoison(records);
    const told = swarm.checkpointMode === "manual" ? await this.#checkpointOnTheWay(input, poison) : 0;
    if (poison < 0) return told;
    if (swarm.poisonFailure === "ignores") {
      const { low: least, high: most } = IGNORED_MILLIS;
      await clock.sleep((swarm.processTimeoutMillis ?? 0) + this.#parts.profilePrng.between(least, most));
      return told;
    }
    if (swarm.poisonFailure === "hangs") await aborted(signal);
    throw new Error(`record ${records[poison]!.sequenceNumber} is sick, as drawn`);
  }

  /** Nothing else runs in this process meanwhile. */
  async #blockLoop(shardId: string, records: number): Promise<void> {
    const { swarm, faultPrng, faultsOn, process, history, worker } = this.#parts;
    const blocks = swarm.faults.blockedLoops;
    if (blocks === undefined) return;
    const now = faultsOn() && faultPrng.chance(blocks.share) ? blocks.millis : 0;
    const millis = now + records * blocks.millisPerRecord;
    if (millis === 0) return;
    const detail = `${shardId} ${records} records, ${millis} ms`;
    const begun = (until: number) =>
      history.add({ type: "trouble", worker, kind: "blocked-loop", until, detail });
    await process.block(millis, begun);
  }

  #isDownstreamDown(): boolean {
    const { swarm, history } = this.#parts;
    const { now } = history;
    return swarm.faults.downstreamOutages.some(({ at, millis }) => at <= now && now < at + millis);
  }

  /**
   * What made handlers exceed their time limit ends with the faults. Otherwise a shard would halt again and
   * again.
   */
  #inTimeWhenRepaired(millis: number): number {
    const { poisonRecords, swarm } = this.#parts;
    const { processTimeoutMillis } = swarm;
    if (!poisonRecords.repaired || processTimeoutMillis === undefined) return millis;
    return Math.min(millis, processTimeoutMillis / 2);
  }

  /** Checkpoints only finished records: none from the poison record on. */
  async #checkpointOnTheWay(
    { shardId, records, checkpoint }: ProcessRecordsInput,
    poison: number,
  ): Promise<number> {
    const { swarm, clock, profilePrng, history, worker } = this.#parts;
    const finished = poison < 0 ? records : records.slice(0, poison);
    if (finished.length === 0 || !profilePrng.chance(swarm.checkpoints.onTheWay)) return 0;
    const count = profilePrng.integer(1, finished.length);
    const record = finished[count - 1]!;
    const sequenceNumbers = finished.slice(0, count).map(({ sequenceNumber }) => sequenceNumber);
    const told = () => history.add({ type: "handled", worker, shardId, sequenceNumbers });
    if (!this.#checkpoint(shardId, () => checkpoint(record), record, { told })) return 0;
    await clock.sleep(profilePrng.between(0, 300));
    return count;
  }

  #checkpointAtTheEnd({ shardId, records, checkpoint }: ProcessRecordsInput): void {
    const { swarm, clock, profilePrng } = this.#parts;
    if (swarm.checkpointMode !== "manual") return;
    const { atTheEnd, late } = swarm.checkpoints;
    const last = records[records.length - 1]!;
    if (profilePrng.chance(atTheEnd)) this.#checkpoint(shardId, () => checkpoint(), last);
    else if (profilePrng.chance(late)) {
      const record = profilePrng.pick(records);
      const millis = profilePrng.between(LATE_MILLIS.low, LATE_MILLIS.high);
      void clock.sleep(millis).then(() => this.#checkpoint(shardId, () => checkpoint(record), record));
    }
  }

  /**
   * @returns whether the engine accepted it. The engine may refuse: the lease is lost, or a later record is
   * already checkpointed.
   */
  #checkpoint(
    shardId: string,
    act: () => Promise<void>,
    { sequenceNumber }: ConsumerRecord,
    { named = true, told = () => undefined }: { named?: boolean; told?: () => void } = {},
  ): boolean {
    const { history, worker, swarm } = this.#parts;
    // The engine decides which record an unnamed checkpoint means.
    const isTold = named && swarm.checkpointIntervalMillis === 0;
    const written = () => history.add({ type: "told-written", worker, shardId, sequenceNumber });
    try {
      void act().then(isTold ? written : undefined);
    } catch (error) {
      if (error instanceof CheckpointRefusedError) return false;
      throw error;
    }
    told();
    history.add({ type: "accepted", worker, shardId, sequenceNumber, named });
    return true;
  }
}

const isBefore = (a: ConsumerRecord, b: ConsumerRecord): boolean =>
  BigInt(a.sequenceNumber) < BigInt(b.sequenceNumber);

const aborted = (signal: AbortSignal): Promise<void> =>
  signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
