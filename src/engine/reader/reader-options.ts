/** What reading a shard needs, and what a user can configure. */

import type { ConsumerRecord } from "../../core/record.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/logger.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { Random } from "../../ports/random.ts";
import type { Stream } from "../../ports/stream.ts";
import type { ErrorReports } from "../error-reports.ts";
import type { LoopWatch } from "../loop-watch.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { RetryOptions } from "./retry.ts";

/** A place in a shard: a record, or its numbers. `subSequenceNumber`: default 0. */
export type RecordPosition = Pick<ConsumerRecord, "sequenceNumber"> &
  Partial<Pick<ConsumerRecord, "subSequenceNumber">>;

/**
 * Declares everything up to `position` processed (default: up to the end of this call's batch).
 *
 * Resolves when the checkpoint is accepted. It is written within `checkpointIntervalMillis`, and in any case
 * with a hand-over. With `checkpointIntervalMillis: 0` it resolves when it is written, even during a drain.
 * It never rejects, so a call that is not awaited is safe: a lease lost meanwhile shows in `signal`.
 *
 * A call may have one record ahead of an earlier one that fails (`onError` "skip" or `deadLetter`). There the
 * checkpoint resolves at once, and is written when the earlier record is processed or given up.
 *
 * Throws `CheckpointRefusedError` at once for a position beyond what was delivered, before the last checkpoint, or
 * that is no sequence number; and in a call that has failed, timed out or lost its lease.
 */
export type CheckpointFunction = (position?: RecordPosition) => Promise<void>;

export interface ProcessRecordsInput {
  readonly shardId: string;
  /** In the order of the shard; never empty. */
  readonly records: readonly ConsumerRecord[];
  /** How far the read that returned them was behind the tip of the shard. */
  readonly millisBehindLatest: number;
  readonly checkpoint: CheckpointFunction;
  /** 1 for the first call that has these records; one more after every failed call with the first of them. */
  readonly attempt: number;
  /** Aborts when the lease is lost or `processTimeoutMillis` has passed: stop having effects. */
  readonly signal: AbortSignal;
  /**
   * Aborts when a hand-over or a stop is requested, long before `signal`: the lease is kept until this call
   * ends. A handler that can stop early should checkpoint what it has done and throw, or stop waiting for
   * what fails.
   */
  readonly draining: AbortSignal;
}

export type ProcessRecords = (input: ProcessRecordsInput) => Promise<void> | void;

/**
 * `checkpoint` accepts positions up to the last delivered record. Without a position it means the last batch
 * that the handler finished: not one that failed, nor one whose retries the hand-over interrupted.
 */
export type ShutdownRequested = (input: {
  readonly shardId: string;
  readonly checkpoint: CheckpointFunction;
}) => Promise<void> | void;

/**
 * Every record of the shard is processed. When this has resolved, SHARD_END is written and the children can
 * start. It is called again when it throws, or has not resolved within five minutes. `checkpoint` without a
 * position means the last record of the shard.
 *
 * With manual checkpoints, SHARD_END also waits until the last record that the handler finished is
 * checkpointed: here, as KCL demands, or through a `checkpoint` that the handler has kept.
 */
export type ShardEnded = (input: {
  readonly shardId: string;
  readonly checkpoint: CheckpointFunction;
}) => Promise<void> | void;

/**
 * What happens to a record that is poison, or out of attempts (`retry.maxAttempts`,
 * `retry.maxRecordAgeMillis`). A record is poison if the handler says so (`PoisonRecordError`), or if it
 * fails alone again and again while its neighbours pass. All other failures are retried until they pass:
 * while nothing passes, nothing is poison.
 * - "stop" (default): the shard halts at the record, and nothing is passed over. It is tried again once a
 *   minute, and at once after `worker.resume(shardId)`. Calls are made only in the order of the shard. So
 *   poison in the very first record may look like a downstream that is down: it is retried for ever, and the
 *   shard does not halt.
 * - "skip": the record is logged and passed over.
 * - `deadLetter`: called with the record, which is passed over when the call has resolved. A call that fails,
 *   or has not settled within `processTimeoutMillis` (default here: 30 s), is retried like the handler; out
 *   of attempts, the shard halts. It may get a record more than once.
 */
export type OnError =
  | "stop"
  | "skip"
  | { readonly deadLetter: (record: ConsumerRecord, error: Error) => Promise<void> | void };

/**
 * poison: reported by the handler, or proven. attempts, age: `retry.maxAttempts`, `retry.maxRecordAgeMillis`.
 */
export type GiveUpReason = "poison" | "attempts" | "age";

/** All times: wall clock, epoch milliseconds. */
export type ShardEvent =
  /**
   * One batch, processed or given to the error policy. With count 0: a first or a final read that returned
   * nothing.
   */
  | {
      readonly type: "batch";
      readonly shardId: string;
      readonly count: number;
      /** When its GetRecords was called. */
      readonly readAtMillis: number;
      /** When the handler had finished. */
      readonly finishedAtMillis: number;
    }
  /**
   * A call of the handler failed. `attempt`: of its first record. The next call comes after `delayMillis`.
   */
  | {
      readonly type: "retry";
      readonly shardId: string;
      readonly attempt: number;
      readonly count: number;
      readonly delayMillis: number;
      readonly error: string;
      readonly atMillis: number;
    }
  /** A record was passed over (`onError: "skip"`), or taken by `deadLetter`. */
  | {
      readonly type: "skipped" | "dead-letter";
      readonly shardId: string;
      readonly sequenceNumber: string;
      readonly subSequenceNumber: number;
      readonly reason: GiveUpReason;
      readonly error: string;
      readonly atMillis: number;
    }
  /**
   * The shard does not continue: a record is given up under "stop", or reading failed unexpectedly. The lease
   * is kept.
   */
  | { readonly type: "halted"; readonly shardId: string; readonly error: string; readonly atMillis: number }
  /** A halted shard continues. */
  | { readonly type: "resumed"; readonly shardId: string; readonly atMillis: number };

export interface ShardReaderDeps {
  readonly stream: Stream;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Shared by all shards of the process. */
  readonly budget: ByteBudget;
  /**
   * Resolves once this worker's own heartbeat is fresh and none is owed after a block of the event loop, or
   * when `signal` aborts. A process that was paused may have lost its leases. Awaited before every handler
   * call.
   */
  whenFresh(signal: AbortSignal): Promise<void>;
  observe(event: ShardEvent): void;
  /** Shared by all shards of the process: reports failures. */
  readonly reports: ErrorReports;
  /**
   * Shared by all shards of the process: measures how long handlers block the event loop. Undefined: batches
   * are not fitted.
   */
  readonly loop?: Pick<LoopWatch, "callBegins" | "leastJudgedMillis" | "optionMillis">;
}

export interface ShardReaderOptions {
  /** Where LATEST and AT_TIMESTAMP sentinels in the lease begin; a Date belongs to AT_TIMESTAMP. */
  readonly initialPosition: "TRIM_HORIZON" | "LATEST" | Date;
  readonly processRecords: ProcessRecords;
  readonly hooks?: {
    /**
     * Called once a drain has no batch in the handler any more, before the lease is handed over or released.
     */
    readonly shutdownRequested?: ShutdownRequested | undefined;
    readonly shardEnded?: ShardEnded | undefined;
  };
  readonly onError: OnError;
  readonly retry?: RetryOptions;
  /** A handler call, a hook or a drain that takes longer is logged as a warning. Default: 30000. */
  readonly logWarningForTaskAfterMillis?: number;
  /** Undefined: a handler may take any time. */
  readonly processTimeoutMillis: number | undefined;
  readonly checkpointMode: "auto" | "manual";
  /** At most one checkpoint write per interval. 0: after every batch, and the next batch waits for it. */
  readonly checkpointIntervalMillis: number;
  readonly maxRecords: number;
  /**
   * Fewer records per call where the handler blocks the event loop. Default: true; the simulator's mutation
   * tests turn it off.
   */
  readonly fitsBatches?: boolean;
  /** KPL user records outside the lease's hash range: delivered, or dropped as KCL does. */
  readonly kplHashRange: "keep" | "drop";
  readonly idleTimeBetweenReadsMillis: number;
}
