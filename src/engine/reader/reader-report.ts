/** What a shard reader reports: KCL's metrics, history events, and the alarm when it halts. */
import type { Checkpoint } from "../../core/lease.ts";
import type { ConsumerRecord } from "../../core/record.ts";
import type { MetricDimensions } from "../../ports/metrics.ts";
import type { FetchedBatch } from "./fetcher.ts";
import type { GiveUpReason, ShardEvent, ShardReaderDeps } from "./reader-options.ts";

export interface ShardError {
  readonly message: string;
  /** Wall clock, epoch milliseconds. */
  readonly atMillis: number;
}

export class ShardReport {
  readonly #deps: ShardReaderDeps;
  readonly #shardId: string;
  readonly #dimensions: MetricDimensions;
  #first = true;
  #unreported: ShardEvent | undefined;
  #lastError: ShardError | undefined;
  #haltedBy: string | undefined;
  /** Neighbouring skipped records are logged in one line. */
  readonly #skipped: ConsumerRecord[] = [];

  constructor(deps: ShardReaderDeps, shardId: string) {
    this.#deps = deps;
    this.#shardId = shardId;
    this.#dimensions = { Operation: "ProcessTask", ShardId: shardId };
  }

  /** The newest failure of the handler or of `deadLetter`. */
  get lastError(): ShardError | undefined {
    return this.#lastError;
  }

  /** Why the shard is halted, while it is. */
  get haltedBy(): string | undefined {
    return this.#haltedBy;
  }

  /** The handler is done with a batch, successfully or not. */
  handled(batch: FetchedBatch, count: number, millis: number, succeeded: boolean): void {
    const { metrics } = this.#deps;
    this.#unreported = undefined;
    metrics.record("RecordProcessor.processRecords.Time", millis, "Milliseconds", this.#dimensions);
    metrics.record("Success", succeeded ? 1 : 0, "Count", this.#dimensions);
    if (!succeeded) return;
    metrics.record("RecordsProcessed", count, "Count", this.#dimensions);
    metrics.record("DataBytesProcessed", batch.bytes, "Bytes", this.#dimensions);
  }

  /** A batch is done. An empty one is reported only if it is the first, or the last before a hand-over. */
  batch(batch: FetchedBatch, count: number, isLast: boolean): void {
    const finishedAtMillis = this.#deps.clock.wallMillis();
    const event: ShardEvent = {
      type: "batch",
      shardId: this.#shardId,
      count,
      readAtMillis: batch.readAtMillis,
      finishedAtMillis,
    };
    const told = count > 0 || this.#first || isLast;
    this.#first = false;
    this.#unreported = told ? undefined : event;
    if (told) this.#deps.observe(event);
  }

  /** The shard goes to another worker: reports the last read, if it was empty and not reported yet. */
  drained(): void {
    if (this.#unreported !== undefined) this.#deps.observe(this.#unreported);
    this.#unreported = undefined;
  }

  /** A call failed; the next one comes after `delayMillis`. */
  retries({ error, ...retry }: { attempt: number; count: number; delayMillis: number; error: Error }): void {
    const { logger, observe, clock } = this.#deps;
    const shardId = this.#shardId;
    const atMillis = clock.wallMillis();
    this.#lastError = { message: error.message, atMillis };
    logger.debug({ shardId, ...retry, error: error.message }, "processRecords failed, trying again");
    observe({ type: "retry", shardId, ...retry, error: error.message, atMillis });
  }

  /** A record is passed over, as the user configured. */
  gaveUp(record: ConsumerRecord, reason: GiveUpReason, error: Error, type: "skipped" | "dead-letter"): void {
    const { logger, observe, clock, metrics } = this.#deps;
    const { sequenceNumber, subSequenceNumber } = record;
    const shardId = this.#shardId;
    const atMillis = clock.wallMillis();
    this.#lastError = { message: error.message, atMillis };
    metrics.record("RecordsGivenUp", 1, "Count", { Operation: "ProcessTask" });
    observe({ type, shardId, sequenceNumber, subSequenceNumber, reason, error: error.message, atMillis });
    if (type === "skipped") this.#skipped.push(record);
    else
      logger.error(
        { shardId, sequenceNumber, subSequenceNumber, reason, error: error.message },
        "record given to deadLetter",
      );
  }

  flushSkipped(): void {
    const [first, last] = [this.#skipped[0], this.#skipped.at(-1)];
    if (first === undefined || last === undefined) return;
    const fields = {
      shardId: this.#shardId,
      count: this.#skipped.length,
      from: first.sequenceNumber,
      fromSub: first.subSequenceNumber,
      to: last.sequenceNumber,
      toSub: last.subSequenceNumber,
      error: this.#lastError?.message,
    };
    this.#deps.logger.error(fields, 'records skipped (onError "skip")');
    this.#skipped.length = 0;
  }

  halted(error: Error, checkpoint: Checkpoint): void {
    const { logger, metrics, clock, observe } = this.#deps;
    const shardId = this.#shardId;
    const atMillis = clock.wallMillis();
    this.#haltedBy = error.message;
    this.#lastError = { message: error.message, atMillis };
    logger.error(
      { shardId, err: error, checkpoint },
      "shard halted: it is tried again once a minute, and at once after worker.resume(shardId); nothing was passed over",
    );
    metrics.record("ShardHalted", 1, "Count", this.#dimensions);
    observe({ type: "halted", shardId, error: error.message, atMillis });
  }

  resumed(): void {
    const { logger, clock, observe } = this.#deps;
    this.#haltedBy = undefined;
    logger.warn({ shardId: this.#shardId }, "shard resumed");
    observe({ type: "resumed", shardId: this.#shardId, atMillis: clock.wallMillis() });
  }
}
