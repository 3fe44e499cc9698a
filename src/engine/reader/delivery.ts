/**
 * Passes fetched batches to the handler, one at a time, and reports each. Where the handler blocks the event
 * loop, a batch is split into parts of a suitable size (`core/batch-fit.ts`).
 */
import { BatchFit } from "../../core/batch-fit.ts";
import { type Checkpoint, compareCheckpoints } from "../../core/lease.ts";
import type { ConsumerRecord } from "../../core/record.ts";
import { HOOK_LIMIT_MILLIS, settledWithin } from "../settled-within.ts";
import { type BatchOutcome, DONE, INTERRUPTED } from "./batch-outcome.ts";
import type { BudgetAccount } from "./byte-budget.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { FetchedBatch } from "./fetcher.ts";
import { HandlerCalls, positionOf } from "./handler-call.ts";
import { HandlerPolicy } from "./handler-policy.ts";
import type { ShardReaderDeps, ShardReaderOptions } from "./reader-options.ts";
import { ShardReport } from "./reader-report.ts";
import { retryOf } from "./retry.ts";
import type { ShardActivity } from "./shard-activity.ts";

export interface DeliveryDeps {
  readonly deps: ShardReaderDeps;
  readonly options: ShardReaderOptions;
  readonly shardId: string;
  readonly account: BudgetAccount;
  readonly checkpointer: Checkpointer;
  readonly activity: ShardActivity;
  readonly isFromGoneOwner: boolean;
  /** The next batch, if it is already read and has records. It belongs to the delivery from then on. */
  readonly takeAhead: () => FetchedBatch | undefined;
  /** Aborts when the lease is lost. */
  readonly stopping: AbortSignal;
  /** Aborts when the lease is lost or a drain was requested. */
  readonly interrupted: AbortSignal;
}

export class ShardDelivery {
  readonly report: ShardReport;
  readonly #parts: DeliveryDeps;
  readonly #policy: HandlerPolicy;
  readonly #start: Checkpoint;
  /**
   * Records covered by the lease's checkpoint are dropped, until the first one after it (it may be within an
   * aggregate).
   */
  #dropsCovered = true;
  readonly #fit: BatchFit | undefined;
  #handling: Promise<BatchOutcome> | undefined;
  /** The batch in the handler and those joined to it. All but the last have been given to it in full. */
  #batches: { readonly batch: FetchedBatch; readonly count: number }[] = [];
  /** Records of the last of these batches that the handler has not been given yet. */
  #rest: readonly ConsumerRecord[] = [];
  #delivered: Checkpoint;
  /** The last record that the handler (or the error policy) is done with; so are all records before it. */
  #finished: Checkpoint;
  #processed: Checkpoint;

  constructor(parts: DeliveryDeps) {
    const { deps, options, shardId, checkpointer, activity, interrupted } = parts;
    this.#parts = parts;
    this.#start = checkpointer.progress;
    this.#delivered = this.#start;
    this.#finished = this.#start;
    this.#processed = this.#start;
    this.report = new ShardReport(deps, shardId);
    const { loop } = deps;
    const isCautious = parts.isFromGoneOwner || (loop?.leastJudgedMillis ?? 0) > 0;
    if (loop !== undefined && options.fitsBatches !== false)
      this.#fit = new BatchFit(loop.optionMillis, isCautious);
    this.#policy = new HandlerPolicy({
      ...deps,
      shardId,
      activity,
      report: this.report,
      calls: new HandlerCalls({ ...parts, fit: this.#fit }),
      checkpointer,
      onError: options.onError,
      retry: retryOf(options.retry),
      mostRecords: () => this.#mostRecords,
      deadLetterLimitMillis: options.processTimeoutMillis ?? HOOK_LIMIT_MILLIS,
      takeAhead: () => this.#takeAhead(),
      settled: (last, processed) => this.#settled(last, processed),
      interrupted,
    });
  }

  /** Settles when the handler is done with its batch. Undefined: it has none. */
  get handling(): Promise<BatchOutcome> | undefined {
    return this.#handling;
  }

  /** The last record that the handler processed; so are all records before it. */
  get processed(): Checkpoint {
    return this.#processed;
  }

  /** Makes a batch that waits for its next try have it now. False: none waits. */
  resume(): boolean {
    return this.#policy.resume();
  }

  /**
   * @param isLast reported even when it is empty
   * @returns with `end` when the batch, or one joined to it, is the last of the shard
   */
  async deliver(
    batch: FetchedBatch,
    isLast: boolean,
  ): Promise<BatchOutcome & { readonly end: FetchedBatch["end"] }> {
    this.#begin(batch);
    let outcome: BatchOutcome = DONE;
    if (this.#rest.length > 0) {
      this.#handling = this.#handleAll();
      outcome = await this.#handling;
      this.#handling = undefined;
      // The handler may have been given a record ahead of one that is not settled. The hook's checkpoint must
      // not pass that one.
      if (outcome.kind === "interrupted" && outcome.isAhead) this.#delivered = this.#finished;
      this.#parts.activity.enter("reading");
    }
    for (const done of this.#batches) {
      this.#parts.account.release(done.batch.bytes);
      if (outcome.kind === "done" && !this.#parts.stopping.aborted)
        this.report.batch(done.batch, done.count, isLast);
    }
    const { end } = this.#batches.at(-1)!.batch;
    this.#batches = [];
    this.#rest = [];
    return { ...outcome, end };
  }

  /**
   * The user's last chance to checkpoint before the lease is handed over or released. A failure costs
   * replays, not the hand-over.
   */
  async shutDown(): Promise<void> {
    const { deps, options, shardId, checkpointer, activity } = this.#parts;
    const { clock, logger } = deps;
    const hook = options.hooks?.shutdownRequested;
    if (hook === undefined) return;
    activity.enter("hook");
    // A batch that failed or was interrupted was delivered too; a checkpoint without a position does not
    // include it.
    const rights = checkpointer.forCall({ delivered: this.#delivered, finished: this.#finished });
    const failed = (error: unknown) =>
      logger.error({ err: error, shardId }, "shutdownRequested failed; the lease is given away as it stands");
    const ended = (async () => hook({ shardId, checkpoint: rights.checkpoint }))().catch(failed);
    if ((await settledWithin(clock, ended, HOOK_LIMIT_MILLIS)) === "still running") {
      const limit = `shutdownRequested did not finish within ${HOOK_LIMIT_MILLIS} ms`;
      failed(new Error(limit));
    }
    rights.revoke("shutdownRequested has ended");
  }

  /** Handles part after part. A hand-over waits for one part only: the rest belongs to the next owner. */
  async #handleAll(): Promise<BatchOutcome> {
    while (this.#rest.length > 0) {
      const outcome = await this.#handle(this.#nextPart(), this.#batches.at(-1)!.batch);
      if (outcome.kind === "interrupted") return outcome;
      if (this.#rest.length > 0 && this.#parts.interrupted.aborted) return INTERRUPTED;
    }
    return DONE;
  }

  #begin(batch: FetchedBatch): void {
    this.#rest = this.#uncovered(batch.records);
    this.#batches.push({ batch, count: this.#rest.length });
  }

  get #mostRecords(): number {
    return this.#fit?.limit ?? Number.POSITIVE_INFINITY;
  }

  #nextPart(): readonly ConsumerRecord[] {
    const limit = this.#mostRecords;
    const part = this.#rest.length <= limit ? this.#rest : this.#rest.slice(0, limit);
    this.#rest = part === this.#rest ? [] : this.#rest.slice(limit);
    const last = part.at(-1);
    if (last !== undefined) this.#delivered = positionOf(last);
    return part;
  }

  async #handle(records: readonly ConsumerRecord[], batch: FetchedBatch): Promise<BatchOutcome> {
    const { deps, options, checkpointer, interrupted } = this.#parts;
    const startedAtMillis = deps.clock.monotonicMillis();
    const outcome = await this.#policy.process(records, batch.millisBehindLatest);
    const millis = deps.clock.monotonicMillis() - startedAtMillis;
    this.report.handled(batch, records.length, millis, outcome.kind === "done");
    // "After every batch" means that the next batch waits for the write. A drain's progress is written by the
    // hand-over.
    if (outcome.kind === "done" && options.checkpointIntervalMillis === 0) {
      await checkpointer.whenWritten(interrupted);
    }
    return outcome;
  }

  /** The records after those in the handler: from the same batch, or from the next one. */
  #takeAhead(): readonly ConsumerRecord[] {
    if (this.#rest.length === 0) {
      const batch = this.#parts.takeAhead();
      if (batch === undefined) return [];
      this.#begin(batch);
    }
    return this.#nextPart();
  }

  #settled(last: ConsumerRecord, processed: boolean): void {
    this.#finished = positionOf(last);
    if (processed) this.#processed = this.#finished;
    if (this.#parts.options.checkpointMode === "auto") this.#parts.checkpointer.advance(this.#finished);
  }

  #uncovered(records: readonly ConsumerRecord[]): readonly ConsumerRecord[] {
    if (!this.#dropsCovered || records.length === 0) return records;
    const first = records.findIndex((record) => compareCheckpoints(positionOf(record), this.#start) > 0);
    if (first === -1) return [];
    this.#dropsCovered = false;
    return first === 0 ? records : records.slice(first);
  }
}
