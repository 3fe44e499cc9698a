/** evenkeel: a KCL-compatible Kinesis consumer. `createWorker`, its types and its errors. */
export type { ErrorClass } from "./core/error-class.ts";
export {
  CheckpointRefusedError,
  DuplicateWorkerIdError,
  EvenkeelError,
  OptionError,
  StoppedError,
  StreamReplacedError,
} from "./core/errors.ts";
export type { Checkpoint } from "./core/lease.ts";
export type { ConsumerRecord } from "./core/record.ts";
export type { LeaseAction, WorkerEvent } from "./engine/engine-context.ts";
export type { ErrorSource, LastError } from "./engine/error-reports.ts";
export type { LoopStatus } from "./engine/loop-watch.ts";
export { PoisonRecordError } from "./engine/reader/handler-errors.ts";
export type {
  CheckpointFunction,
  GiveUpReason,
  OnError,
  ProcessRecords,
  ProcessRecordsInput,
  RecordPosition,
  ShardEnded,
  ShardEvent,
  ShutdownRequested,
} from "./engine/reader/reader-options.ts";
export type { ShardError } from "./engine/reader/reader-report.ts";
export type { RetryOptions } from "./engine/reader/retry.ts";
export type { Activity, ActivityKind } from "./engine/reader/shard-activity.ts";
export type { ShardStatus } from "./engine/reader/shard-consumer.ts";
export type { WorkerHealth, WorkerState } from "./engine/worker-report.ts";
export type { WorkerOptions } from "./options.ts";
export { StoreUnavailableError, StoreUnusableError } from "./ports/lease-store.ts";
export type { Logger } from "./ports/logger.ts";
export { StreamError, type StreamErrorClass } from "./ports/stream.ts";
export { createWorker, type Worker, type WorkerStatus } from "./worker.ts";
