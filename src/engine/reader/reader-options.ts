/** What reading a shard needs, and what a user may decide about it. */

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
 * Declares everything up to `position` (default: up to the end of this call's batch) processed.
 *
 * Resolves when the checkpoint is accepted; it is written within `checkpointIntervalMillis`, and in any case with a
 * hand-over. With `checkpointIntervalMillis: 0` it resolves when it is written, during a drain too. It never rejects, so
 * that a call that is not awaited is safe: a lease lost meanwhile shows in `signal`.
 *
 * In a call that has one record ahead of an earlier one that fails (`onError` "skip" or `deadLetter`), the checkpoint
 * is written when that one is settled, and resolves at once.
 *
 * Throws `CheckpointRefused` at once for a position beyond what was delivered, before the last checkpoint, or that is
 * no sequence number; and in a call that has failed, timed out or lost its lease.
 */
export type CheckpointFunction = (position?: RecordPosition) => Promise<void>;

export interface ProcessRecordsInput {
  readonly shardId: string;
  /** In the order of the shard; never empty. */
  readonly records: readonly ConsumerRecord[];
  /** How far the read that brought them was behind the tip of the shard. */
  readonly millisBehindLatest: number;
  readonly checkpoint: CheckpointFunction;
  /** 1 for the first call that has these records; one more after every failed call with the first of them. */
  readonly attempt: number;
  /** Aborts when the lease is lost or `processTimeoutMillis` has passed: stop having effects. */
  readonly signal: AbortSignal;
  /**
   * Aborts when a hand-over or a stop is wanted, long before `signal`: the lease is kept until this call ends. A handler
   * that can stop early checkpoints what it has done and throws, or waits no longer for what fails.
   */
  readonly draining: AbortSignal;
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
 * Every record of the shard is processed. SHARD_END is written, and the children can start, when it has resolved. It is
 * called again when it throws, or has not resolved within five minutes. `checkpoint` without a position means the last record of the shard.
 *
 * With manual checkpoints SHARD_END also waits until the last record that the handler finished is checkpointed: here, as
 * KCL demands, or through a `checkpoint` that the handler has kept.
 */
export type ShardEnded = (input: {
  readonly shardId: string;
  readonly checkpoint: CheckpointFunction;
}) => Promise<void> | void;

/**
 * What happens to a record that is poison, or out of attempts (`retry.maxAttempts`, `retry.maxRecordAgeMillis`). Poison
 * is what the handler says (`PoisonRecordError`), and what fails alone again and again while its neighbours pass. All
 * other failures are waited out: while nothing passes, nothing is poison.
 * - "stop" (default): the shard halts at the record, and nothing is passed over. It is tried again once a minute, and at
 *   once after `worker.resume(shardId)`. Only calls in the order of the shard are made, so that poison which is the
 *   first record of all may not be told from a downstream that is down: that is tried for ever, and does not halt.
 * - "skip": the record is logged and passed over.
 * - `deadLetter`: the record is given to it, and passed over when it has resolved. One that fails, or has not settled
 *   within `processTimeoutMillis` (default here: 30 s), is tried again like the handler; out of attempts, the shard
 *   halts. A record may be given to it more than once.
 */
export type OnError =
  | "stop"
  | "skip"
  | { readonly deadLetter: (record: ConsumerRecord, error: Error) => Promise<void> | void };

/** poison: said by the handler, or proven. attempts, age: `retry.maxAttempts`, `retry.maxRecordAgeMillis`. */
export type GiveUpReason = "poison" | "attempts" | "age";

/** All times: wall clock, epoch milliseconds. */
export type ShardEvent =
  /** One batch, processed or given to the error policy; and, with count 0, a first or a last read that found nothing. */
  | {
      readonly type: "batch";
      readonly shardId: string;
      readonly count: number;
      /** When its GetRecords was called. */
      readonly readAtMillis: number;
      /** When the handler had finished. */
      readonly finishedAtMillis: number;
    }
  /** A call of the handler failed. `attempt`: of the first of its records. The next call comes after `delayMillis`. */
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
  /** The shard does not go on: a record is given up under "stop", or reading it failed unexpectedly. The lease is kept. */
  | { readonly type: "halted"; readonly shardId: string; readonly error: string; readonly atMillis: number }
  /** A halted shard goes on. */
  | { readonly type: "resumed"; readonly shardId: string; readonly atMillis: number };

export interface ShardReaderDeps {
  readonly stream: Stream;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Shared by all shards of the process. */
  readonly budget: ByteBudget;
  /** Resolves once this worker's own heartbeat is fresh and none is owed after a block of the event loop, or `signal` aborts: a process that was paused may have lost its leases. Awaited before every handler call. */
  whenFresh(signal: AbortSignal): Promise<void>;
  observe(event: ShardEvent): void;
  /** Shared by all shards of the process: says what fails. */
  readonly reports: ErrorReports;
  /** Shared by all shards of the process: measures what handlers block. Undefined: batches are not fitted to it. */
  readonly loop?: Pick<LoopWatch, "callBegins" | "leastJudgedMillis" | "optionMillis">;
}

export interface ShardReaderOptions {
  /** Where LATEST and AT_TIMESTAMP sentinels in the lease begin; a Date belongs to AT_TIMESTAMP. */
  readonly initialPosition: "TRIM_HORIZON" | "LATEST" | Date;
  readonly processRecords: ProcessRecords;
  readonly hooks?: {
    /** Called once a drain has no batch in the handler any more, before the lease is given away. */
    readonly shutdownRequested?: ShutdownRequested | undefined;
    readonly shardEnded?: ShardEnded | undefined;
  };
  readonly onError: OnError;
  readonly retry?: RetryOptions;
  /** A call of the handler, a hook or a drain that takes longer is warned about. Default: 30000. */
  readonly logWarningForTaskAfterMillis?: number;
  /** Undefined: a handler may take as long as it likes. */
  readonly processTimeoutMillis: number | undefined;
  readonly checkpointMode: "auto" | "manual";
  /** At most one checkpoint write in it; 0: after every batch, and the next batch waits for it. */
  readonly checkpointIntervalMillis: number;
  readonly maxRecords: number;
  /** Fewer records a call where the handler blocks the event loop. Default: true; the simulator's tests of the tests turn it off. */
  readonly fitsBatches?: boolean;
  /** KPL user records outside the lease's hash range: handed on, or dropped as KCL does. */
  readonly kplHashRange: "keep" | "drop";
  readonly idleTimeBetweenReadsMillis: number;
}
