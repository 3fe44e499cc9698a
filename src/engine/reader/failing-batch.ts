/**
 * Gets a batch through the handler after its first call has failed: makes the calls that `core/isolation.ts`
 * chooses, with a growing pause after every failure, and gives up the records that it finds to be poison or
 * out of attempts. A drain or a stop ends every pause. A record is *settled* when it is processed or given
 * up.
 *
 *   trying ──(a record is to be given up, and may not be passed over)──▶ halted
 *     ▲                                                                    │ a call passes
 *     └────────────────────────────────────────────────────────────────────┘
 */
import { errorClassOf } from "../../core/error-class.ts";
import { Isolation, type IsolationCall, type IsolationMemory } from "../../core/isolation.ts";
import { compareCheckpoints } from "../../core/lease.ts";
import type { ConsumerRecord } from "../../core/record.ts";
import { type Deferred, deferred } from "../deferred.ts";
import { settledWithin } from "../settled-within.ts";
import { type BatchOutcome, DONE, type HandlerPolicyDeps, INTERRUPTED } from "./batch-outcome.ts";
import { positionOf } from "./handler-call.ts";
import { errorOf, poisonRecordOf } from "./handler-errors.ts";
import type { GiveUpReason } from "./reader-options.ts";
import { retryDelayMillis } from "./retry.ts";

/**
 * A halted shard retries by itself: the cause may have been repaired, and no operator needs to know of
 * `resume`.
 */
export const HALTED_RETRY_MILLIS = 60_000;

const PROOFS_TO_HALT = 1;
const PROOFS_TO_PASS_OVER = 2;
/** Batches that are joined to one whose only unsettled records share a partition key. Bounds what is held. */
const MAX_JOINED = 4;

export class FailingBatch {
  readonly #parts: HandlerPolicyDeps;
  readonly #records: ConsumerRecord[];
  readonly #millisBehindLatest: number;
  readonly #isolation: Isolation;
  /**
   * Calls that were given one record ahead: their checkpoints count when all records before it are settled.
   */
  readonly #ahead: { readonly index: number; readonly reached: Deferred }[] = [];
  /** The last error of the first record that is not settled. */
  #error = new Error("not tried yet");
  #isHalted = false;
  #joined = 0;
  #pausing: AbortController | undefined;
  /** By record: the error with which the handler called it poison. */
  readonly #namedErrors = new Map<number, Error>();
  /** The pause before the next call is already over. */
  #hasPaused = false;

  constructor(
    parts: HandlerPolicyDeps,
    memory: IsolationMemory,
    records: readonly ConsumerRecord[],
    millisBehindLatest: number,
  ) {
    this.#parts = parts;
    this.#records = [...records];
    this.#millisBehindLatest = millisBehindLatest;
    const keys = records.map(({ partitionKey }) => partitionKey);
    // A shard that halts by mistake continues by itself; a record that is passed over by mistake is gone. So
    // the latter needs more proof.
    const isLossy = parts.onError !== "stop";
    const rules = {
      maxAttempts: parts.retry.maxAttempts,
      mayTryAhead: isLossy,
      proofs: isLossy ? PROOFS_TO_PASS_OVER : PROOFS_TO_HALT,
    };
    this.#isolation = new Isolation(keys, rules, memory);
  }

  /** @param error of the first call, which had every record */
  async getThrough(error: Error): Promise<BatchOutcome> {
    const outcome = await this.#getThrough(error);
    this.#parts.report.flushSkipped();
    const { reports, shardId } = this.#parts;
    if (outcome === DONE) {
      reports.recovered("handler", shardId);
      return DONE;
    }
    reports.forget("handler", shardId);
    return { kind: "interrupted", isAhead: this.#isolation.isAhead };
  }

  resume(): boolean {
    if (this.#pausing === undefined) return false;
    this.#pausing.abort();
    return true;
  }

  async #getThrough(error: Error): Promise<BatchOutcome> {
    const { interrupted } = this.#parts;
    const isolation = this.#isolation;
    let call: IsolationCall = { kind: "next", indexes: this.#records.map((_, index) => index) };
    let failure: Error | undefined = error;
    for (;;) {
      // What the handler checkpointed before it failed is done: the next call, or the next owner, starts
      // after it.
      if (failure !== undefined && call.kind === "next") this.#takeProgress();
      if (failure === undefined) await this.#passed(call);
      else if (interrupted.aborted) return INTERRUPTED;
      else await this.#failed(call, failure);
      if (interrupted.aborted) return INTERRUPTED;
      const next = isolation.next(this.#parts.mostRecords());
      if (next === undefined) return DONE;
      call = next;
      const outcome = await this.#call(call);
      if (outcome.kind === "stopped") return INTERRUPTED;
      // What a call checkpointed is done, even if it counts only after the records before it.
      const isDone = outcome.kind === "done" || (call.kind === "ahead" && outcome.hasFinished);
      failure = isDone ? undefined : outcome.error;
    }
  }

  #call({ kind, indexes }: IsolationCall) {
    const reached = deferred();
    if (kind === "ahead") this.#ahead.push({ index: indexes[0]!, reached });
    return this.#parts.calls.call({
      records: indexes.map((index) => this.#records[index]!),
      millisBehindLatest: this.#millisBehindLatest,
      attempt: this.#isolation.attemptsOf(indexes[0]!) + 1,
      ...(kind === "ahead" && { checkpointsAfter: reached.promise }),
    });
  }

  async #passed(call: IsolationCall): Promise<void> {
    this.#isolation.passed(call);
    if (call.kind === "ahead") return;
    this.#parts.report.flushSkipped();
    this.#goesOn();
    this.#settled(true);
    // The next record may be one that the handler has named as poison.
    await this.#settleDue();
  }

  /** Resolves when the next call may be made. */
  async #failed(call: IsolationCall, error: Error): Promise<void> {
    const isolation = this.#isolation;
    const { reports, shardId } = this.#parts;
    const indexes = call.indexes.filter((index) => index >= isolation.first);
    if (indexes.length === 0) return;
    const named = this.#namedIndex(error);
    if (named === undefined) {
      isolation.failed({ ...call, indexes });
      this.#joinNeighbours();
      reports.failed("handler", errorClassOf(error.name), error, shardId);
    } else {
      isolation.named(named);
      this.#namedErrors.set(named, error);
    }
    if (call.kind === "next") this.#error = error;
    const attempt = isolation.attemptsOf(indexes[0]!);
    this.#hasPaused = false;
    await this.#settleDue();
    // A record named as poison is no sign that the handler fails otherwise, so no pause follows.
    if (named !== undefined || isolation.isUrgent || this.#hasPaused) return;
    await this.#pauseAfter(isolation.failuresInRow, { attempt, count: indexes.length, error });
  }

  #joinNeighbours(): void {
    if (!this.#isolation.lacksNeighbours || this.#joined >= MAX_JOINED) return;
    const records = this.#parts.takeAhead();
    if (records.length === 0) return;
    this.#joined += 1;
    // One by one: a call with a hundred thousand arguments overflows the stack.
    for (const record of records) this.#records.push(record);
    this.#isolation.append(records.map(({ partitionKey }) => partitionKey));
  }

  async #settleDue(): Promise<void> {
    const { interrupted, onError } = this.#parts;
    for (let reason = this.#reasonToGiveUp(); reason !== undefined; reason = this.#reasonToGiveUp()) {
      if (interrupted.aborted) return;
      const { first } = this.#isolation;
      const record = this.#records[first]!;
      const error = this.#namedErrors.get(first) ?? this.#error;
      if (onError === "stop") return this.#halt(error);
      if (onError !== "skip" && !(await this.#deadLetter(onError.deadLetter, record, error))) return;
      this.#parts.report.gaveUp(record, reason, error, onError === "skip" ? "skipped" : "dead-letter");
      this.#isolation.settleFirst();
      this.#settled(false);
    }
  }

  #reasonToGiveUp(): GiveUpReason | undefined {
    const { verdict, failsAlone, first } = this.#isolation;
    if (verdict !== undefined || !failsAlone) return verdict;
    const { retry, clock } = this.#parts;
    const arrivedMillis = this.#records[first]!.approximateArrivalTimestamp.getTime();
    const ageMillis = clock.wallMillis() - arrivedMillis;
    return ageMillis > (retry.maxRecordAgeMillis ?? Number.POSITIVE_INFINITY) ? "age" : undefined;
  }

  /** False: interrupted, and not delivered. */
  async #deadLetter(
    deliver: (record: ConsumerRecord, error: Error) => Promise<void> | void,
    record: ConsumerRecord,
    error: Error,
  ): Promise<boolean> {
    const { interrupted, activity, reports, shardId, retry } = this.#parts;
    for (let failures = 1; ; failures += 1) {
      activity.enter("handling", failures);
      try {
        await this.#inTime(async () => deliver(record, error), failures);
        this.#goesOn();
        return true;
      } catch (thrown) {
        const problem = errorOf(thrown);
        reports.failed("handler", errorClassOf(problem.name), problem, shardId);
        if (interrupted.aborted) return false;
        const isSpent = failures >= (retry.maxAttempts ?? Number.POSITIVE_INFINITY);
        if (isSpent) await this.#halt(problem);
        else await this.#pauseAfter(failures, { attempt: failures, count: 1, error: problem });
        if (interrupted.aborted) return false;
      }
    }
  }

  /**
   * A `deadLetter` that never settles fails like one that throws. It may still take the record, which is then
   * delivered twice.
   */
  async #inTime(deliver: () => Promise<void>, tries: number): Promise<void> {
    const { clock, logger, shardId, deadLetterLimitMillis } = this.#parts;
    if ((await settledWithin(clock, deliver(), deadLetterLimitMillis)) !== "still running") return;
    const limit = `deadLetter did not finish within ${deadLetterLimitMillis} ms: it is tried again, and may be given the record twice`;
    // Once for each record. After that, the error reports log the failure, rarely.
    if (tries === 1) logger.error({ shardId }, limit);
    throw new Error(limit);
  }

  /** Resolves when the record that halts the shard is to be tried again. */
  async #halt(error: Error): Promise<void> {
    if (!this.#isHalted) this.#parts.report.halted(error, this.#parts.checkpointer.progress);
    this.#isHalted = true;
    this.#parts.activity.enter("halted");
    await this.#pause(HALTED_RETRY_MILLIS);
    this.#isolation.tryAgain();
    this.#hasPaused = true;
  }

  #goesOn(): void {
    if (this.#isHalted) this.#parts.report.resumed();
    this.#isHalted = false;
  }

  async #pauseAfter(
    failures: number,
    { attempt, count, error }: { attempt: number; count: number; error: Error },
  ): Promise<void> {
    const { retry, random, report, activity } = this.#parts;
    const delayMillis = retryDelayMillis(failures, retry, random);
    report.retries({ attempt, count, delayMillis: Math.round(delayMillis), error });
    activity.enter("retrying", attempt + 1);
    await this.#pause(delayMillis);
  }

  /** Ends early with `resume()`, a drain or a stop. */
  async #pause(millis: number): Promise<void> {
    const { clock, interrupted } = this.#parts;
    this.#pausing = new AbortController();
    await clock.sleep(millis, AbortSignal.any([interrupted, this.#pausing.signal]));
    this.#pausing = undefined;
  }

  /** The index of the record that the error names, if it is in this batch and not settled. */
  #namedIndex(error: Error): number | undefined {
    const named = poisonRecordOf(error);
    if (named === undefined) return undefined;
    const position = {
      sequenceNumber: named.sequenceNumber,
      subSequenceNumber: named.subSequenceNumber ?? 0,
    };
    const index = this.#records.findIndex((record) => compareCheckpoints(positionOf(record), position) === 0);
    return index >= this.#isolation.first ? index : undefined;
  }

  #takeProgress(): void {
    const { progress } = this.#parts.checkpointer;
    const { first } = this.#isolation;
    let index = first;
    while (
      index < this.#records.length &&
      compareCheckpoints(positionOf(this.#records[index]!), progress) <= 0
    )
      index += 1;
    if (index === first) return;
    this.#isolation.processedUpTo(index);
    this.#settled(true);
  }

  #settled(processed: boolean): void {
    const { first } = this.#isolation;
    this.#parts.settled(this.#records[first - 1]!, processed);
    for (const { index, reached } of this.#ahead) if (index < first) reached.open();
  }
}
