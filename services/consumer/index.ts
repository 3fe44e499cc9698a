/** evenkeel: a KCL-compatible Kinesis consumer. `createWorker` is all a service needs; the rest is for tools that look at a fleet. */
export { dynamoDbLeaseStore } from "./adapters/dynamodb-lease-store.ts";
export { type Decisions, decide, type FleetSummary } from "./core/decide.ts";
export {
  CheckpointRefused,
  DuplicateWorkerIdError,
  EvenkeelError,
  OptionError,
  StoppedError,
  StreamReplacedError,
} from "./core/errors.ts";
export {
  actualOwner,
  type Checkpoint,
  compareCheckpoints,
  isEnded,
  isSentinel,
  type Lease,
} from "./core/lease.ts";
export { type Lineage, lineage, shardCount, tableOf } from "./core/lineage.ts";
export type { FleetRow, Member, MemberState } from "./core/member.ts";
export { type LeasePlan, type Move, type PlanWorker, planLeases } from "./core/plan.ts";
export type { ConsumerRecord } from "./core/record.ts";
export { createWorker, type Worker, type WorkerStatus } from "./create-worker.ts";
export type { WorkerEvent } from "./engine/engine-context.ts";
export { PoisonRecordError } from "./engine/handler-errors.ts";
export type { RetryOptions } from "./engine/retry.ts";
export type { Activity, ActivityKind } from "./engine/shard-activity.ts";
export type { ShardStatus } from "./engine/shard-consumer.ts";
export type {
  CheckpointFunction,
  GiveUpReason,
  OnError,
  ProcessRecords,
  ProcessRecordsInput,
  ShardEnded,
  ShutdownRequested,
} from "./engine/shard-reader-options.ts";
export type { WorkerHealth, WorkerState } from "./engine/worker-report.ts";
export { type LeaseListing, type LeaseStore, StoreUnavailable, StoreUnusable } from "./ports/lease-store.ts";
export type { Logger } from "./ports/logger.ts";
export { StreamError } from "./ports/stream.ts";
export type { WorkerOptions } from "./worker-options.ts";
