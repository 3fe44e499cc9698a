/** Brings fetched batches to the handler, one at a time, and reports each. */
import { type Checkpoint, compareCheckpoints } from "../core/lease.ts";
import type { ConsumerRecord } from "../core/record.ts";
import type { BudgetAccount } from "./byte-budget.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { HandlerCalls, positionOf } from "./handler-call.ts";
import { type BatchOutcome, HandlerPolicy } from "./handler-policy.ts";
import type { FetchedBatch } from "./shard-reader-fetch.ts";
import type { ShardReaderDependencies, ShardReaderOptions } from "./shard-reader-options.ts";
import { ShardReport } from "./shard-reader-report.ts";

export interface DeliveryParts {
  readonly dependencies: ShardReaderDependencies;
  readonly options: ShardReaderOptions;
  readonly shardId: string;
  readonly account: BudgetAccount;
  readonly checkpointer: Checkpointer;
  /** Aborts when the lease is lost. */
  readonly stopping: AbortSignal;
  /** Aborts when the lease is lost or a drain was asked for. */
  readonly interrupted: AbortSignal;
}

export class ShardDelivery {
  readonly report: ShardReport;
  readonly #parts: DeliveryParts;
  readonly #policy: HandlerPolicy;
  readonly #start: Checkpoint;
  /** What the lease's checkpoint covers is dropped until the first record beyond it (it may be within an aggregate). */
  #dropsCovered = true;
  #handling: Promise<BatchOutcome> | undefined;
  #delivered: Checkpoint;
  /** The last record of a batch that the handler (or the error policy) is done with. */
  #finished: Checkpoint;

  constructor(parts: DeliveryParts) {
    const { dependencies, options, shardId, checkpointer, stopping, interrupted } = parts;
    this.#parts = parts;
    this.#start = checkpointer.progress;
    this.#delivered = this.#start;
    this.#finished = this.#start;
    this.report = new ShardReport(dependencies, shardId);
    this.#policy = new HandlerPolicy({
      shardId,
      clock: dependencies.clock,
      random: dependencies.random,
      logger: dependencies.logger,
      calls: new HandlerCalls(dependencies, options, checkpointer, shardId, stopping),
      checkpointer,
      onError: options.onError,
      checkpointsItself: options.checkpointMode === "auto",
      interrupted,
    });
  }

  /** Settles when the batch in the handler's hands is done; undefined: there is none. */
  get handling(): Promise<BatchOutcome> | undefined {
    return this.#handling;
  }

  /** `isLast`: reported even when it is empty. */
  async deliver(batch: FetchedBatch, isLast: boolean): Promise<BatchOutcome> {
    const records = this.#uncovered(batch.records);
    let outcome: BatchOutcome = { kind: "done" };
    if (records.length > 0) {
      this.#delivered = positionOf(records[records.length - 1]!);
      this.#handling = this.#handle(records, batch);
      outcome = await this.#handling;
      this.#handling = undefined;
      if (outcome.kind === "done") this.#finished = this.#delivered;
    }
    this.#parts.account.release(batch.bytes);
    if (outcome.kind === "done" && !this.#parts.stopping.aborted) {
      this.report.batch(batch, records.length, isLast);
    }
    return outcome;
  }

  /** The user's last chance to checkpoint before the lease is given away. A failure costs replays, not the hand-over. */
  async shutDown(): Promise<void> {
    const { dependencies, options, shardId, checkpointer } = this.#parts;
    if (options.shutdownRequested === undefined) return;
    // A batch that failed, or was interrupted, was delivered as well: who names no record does not mean that one.
    const rights = checkpointer.forCall(this.#delivered, this.#finished);
    try {
      await options.shutdownRequested({ shardId, checkpoint: rights.checkpoint });
    } catch (error) {
      dependencies.logger.error(
        { err: error, shardId },
        "shutdownRequested failed; the lease is given away as it stands",
      );
    }
    rights.revoke("shutdownRequested has ended");
  }

  async #handle(records: readonly ConsumerRecord[], batch: FetchedBatch): Promise<BatchOutcome> {
    const { dependencies, options, checkpointer, interrupted } = this.#parts;
    const startedAtMillis = dependencies.clock.monotonicMillis();
    const outcome = await this.#policy.process(records, batch.millisBehindLatest);
    const millis = dependencies.clock.monotonicMillis() - startedAtMillis;
    this.report.handled(batch, records.length, millis, outcome.kind === "done");
    // "After every batch" means that the next one waits for it; a drain's progress is written by the hand-over.
    if (outcome.kind === "done" && options.checkpointIntervalMillis === 0) {
      await checkpointer.whenWritten(interrupted);
    }
    return outcome;
  }

  #uncovered(records: readonly ConsumerRecord[]): readonly ConsumerRecord[] {
    if (!this.#dropsCovered || records.length === 0) return records;
    const first = records.findIndex((record) => compareCheckpoints(positionOf(record), this.#start) > 0);
    if (first === -1) return [];
    this.#dropsCovered = false;
    return first === 0 ? records : records.slice(first);
  }
}
