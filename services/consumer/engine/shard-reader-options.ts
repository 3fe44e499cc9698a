/** What reading a shard needs, and what a user may decide about it. */
import type { Clock } from "../../shared/clock.ts";
import type { Random } from "../../shared/random.ts";
import type { ConsumerRecord } from "../core/record.ts";
import type { Logger } from "../ports/logger.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { Stream } from "../ports/stream.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { ErrorReports } from "./error-reports.ts";

/** A place in a shard: a record, or its numbers. `subSequenceNumber`: default 0. */
export type RecordPosition = Pick<ConsumerRecord, "sequenceNumber"> &
  Partial<Pick<ConsumerRecord, "subSequenceNumber">>;

/**
 * Declares everything up to `position` (default: up to the end of this call's batch) processed.
 *
 * Resolves when the checkpoint is accepted; it is written within `checkpointIntervalMillis`, and in any case with a
 * hand-over. With `checkpointIntervalMillis: 0` it resolves when it is written. It never rejects, so that a call that
 * is not awaited is safe: a lease lost meanwhile shows in `signal`.
 *
 * Throws `CheckpointRefused` at once for a position beyond what was delivered, before the last checkpoint, or that is
 * no sequence number; and in a call that has failed, timed out or lost its lease.
 */
export type CheckpointFunction = (position?: RecordPosition) => Promise<void>;

export class CheckpointRefused extends Error {
  override readonly name = "CheckpointRefused";
}

export interface ProcessRecordsInput {
  readonly shardId: string;
  /** In the order of the shard; never empty. */
  readonly records: readonly ConsumerRecord[];
  /** How far the read that brought them was behind the tip of the shard. */
  readonly millisBehindLatest: number;
  readonly checkpoint: CheckpointFunction;
  /** Aborts when the lease is lost or `processTimeoutMillis` has passed: stop having effects. */
  readonly signal: AbortSignal;
}

export type ProcessRecords = (input: ProcessRecordsInput) => Promise<void> | void;

/**
 * `checkpoint` takes positions up to the last delivered record. Without one it means the last batch that the handler
 * finished: not one that failed, nor one whose retries the hand-over interrupted.
 */
export type ShutdownRequested = (input: {
  readonly shardId: string;
  readonly checkpoint: CheckpointFunction;
}) => Promise<void> | void;

/**
 * What happens when `processRecords` has failed for a batch and for every retry of it (3, with backoff).
 * - "stop" (default): the lease is kept, the shard is read no further, other shards go on; nothing is passed over.
 * - "skip" and `deadLetter`: the batch is halved again and again to find the records that fail on their own; those
 *   are logged, or given to `deadLetter`, and all others are processed, in order (some of them once more).
 *   A `deadLetter` that fails for every retry as well stops the shard.
 */
export type OnError =
  | "stop"
  | "skip"
  | { readonly deadLetter: (record: ConsumerRecord, error: Error) => Promise<void> | void };

export type ShardEvent =
  /** One batch, processed or given to the error policy; and, with count 0, a first or a last read that found nothing. Times: wall clock. */
  | {
      readonly type: "batch";
      readonly shardId: string;
      readonly count: number;
      /** When its GetRecords was called. */
      readonly readAtMillis: number;
      /** When the handler had finished. */
      readonly finishedAtMillis: number;
    }
  /** Reading stopped for good after an error (policy "stop"); the lease is kept. */
  | { readonly type: "halted"; readonly shardId: string; readonly error: string; readonly atMillis: number };

export interface ShardReaderDependencies {
  readonly stream: Stream;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Shared by all shards of the process. */
  readonly budget: ByteBudget;
  /** Resolves once this worker's own heartbeat is fresh, or `signal` aborts: a process that was paused may have lost its leases. Awaited before every handler call. */
  whenFresh(signal: AbortSignal): Promise<void>;
  observe(event: ShardEvent): void;
  /** Shared by all shards of the process: says what fails. */
  readonly reports: ErrorReports;
}

export interface ShardReaderOptions {
  /** Where LATEST and AT_TIMESTAMP sentinels in the lease begin; a Date belongs to AT_TIMESTAMP. */
  readonly initialPosition: "TRIM_HORIZON" | "LATEST" | Date;
  readonly processRecords: ProcessRecords;
  /** Called once a drain has nothing in the handler's hands any more, before the lease is given away. */
  readonly shutdownRequested?: ShutdownRequested | undefined;
  readonly onError: OnError;
  /** Undefined: a handler may take as long as it likes. */
  readonly processTimeoutMillis: number | undefined;
  readonly checkpointMode: "auto" | "manual";
  /** At most one checkpoint write in it; 0: after every batch, and the next batch waits for it. */
  readonly checkpointIntervalMillis: number;
  readonly maxRecords: number;
  /** KPL user records outside the lease's hash range: handed on, or dropped as KCL does. */
  readonly kplHashRange: "keep" | "drop";
  readonly idleTimeBetweenReadsMillis: number;
}
