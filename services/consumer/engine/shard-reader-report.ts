/** What a shard reader says about itself: KCL's metrics, history events, and the alarm when it halts. */
import type { Checkpoint } from "../core/lease.ts";
import type { MetricDimensions } from "../ports/metrics.ts";
import type { FetchedBatch } from "./shard-reader-fetch.ts";
import type { ShardEvent, ShardReaderDependencies } from "./shard-reader-options.ts";

export class ShardReport {
  readonly #dependencies: ShardReaderDependencies;
  readonly #shardId: string;
  readonly #dimensions: MetricDimensions;
  #first = true;
  #untold: ShardEvent | undefined;

  constructor(dependencies: ShardReaderDependencies, shardId: string) {
    this.#dependencies = dependencies;
    this.#shardId = shardId;
    this.#dimensions = { Operation: "ProcessTask", ShardId: shardId };
  }

  /** The handler is done with a batch, well or not. */
  handled(batch: FetchedBatch, count: number, millis: number, succeeded: boolean): void {
    const { metrics } = this.#dependencies;
    metrics.record("RecordProcessor.processRecords.Time", millis, "Milliseconds", this.#dimensions);
    metrics.record("Success", succeeded ? 1 : 0, "Count", this.#dimensions);
    if (!succeeded) return;
    metrics.record("RecordsProcessed", count, "Count", this.#dimensions);
    metrics.record("DataBytesProcessed", batch.bytes, "Bytes", this.#dimensions);
  }

  /** A batch is done. An empty one is worth a line when it is the first, or the last before a hand-over. */
  batch(batch: FetchedBatch, count: number, isLast: boolean): void {
    const finishedAtMillis = this.#dependencies.clock.wallMillis();
    const event: ShardEvent = {
      type: "batch",
      shardId: this.#shardId,
      count,
      readAtMillis: batch.readAtMillis,
      finishedAtMillis,
    };
    const told = count > 0 || this.#first || isLast;
    this.#first = false;
    this.#untold = told ? undefined : event;
    if (told) this.#dependencies.observe(event);
  }

  /** The shard goes to another worker: says when it was read last, if that found nothing. */
  drained(): void {
    if (this.#untold !== undefined) this.#dependencies.observe(this.#untold);
    this.#untold = undefined;
  }

  halted(error: Error, checkpoint: Checkpoint): void {
    const { logger, metrics, clock, observe } = this.#dependencies;
    const shardId = this.#shardId;
    logger.error(
      { shardId, error: error.message, stack: error.stack, checkpoint },
      "shard halted: its records are not processed until this worker restarts or the lease moves; nothing was passed over",
    );
    metrics.record("ShardHalted", 1, "Count", this.#dimensions);
    observe({ type: "halted", shardId, error: error.message, atMillis: clock.wallMillis() });
  }
}
