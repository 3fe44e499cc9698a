/**
 * `evenkeel/inspect`: the rows of a lease table, and the decisions that the workers of a fleet make from
 * them. For monitors and other tools. Unstable: it changes with the engine, in any release.
 */
export { type DynamoDbLeaseStoreOptions, dynamoDbLeaseStore } from "./adapters/dynamodb/lease-store.ts";
export type { Application, StreamIdentity } from "./core/application.ts";
export {
  type Claim,
  type Decisions,
  decide,
  type FleetSummary,
  type UntakenLease,
} from "./core/decide.ts";
export type { Facts, HeldLeaseFacts } from "./core/facts.ts";
export type { HashRange } from "./core/hash-range.ts";
export {
  actualOwner,
  type Checkpoint,
  compareCheckpoints,
  isEnded,
  isSentinel,
  type Lease,
} from "./core/lease.ts";
export { type LeaseTable, type Lineage, lineage, shardCount, tableOf } from "./core/lineage.ts";
export type { Assignment, FleetRow, FleetSize, Member, MemberState } from "./core/member.ts";
export { type LeasePlan, type Move, type MoveReason, type PlanWorker, planLeases } from "./core/plan.ts";
export {
  type HeartbeatOutcome,
  type LeaseListing,
  type LeaseStore,
  StoreUnavailableError,
  StoreUnusableError,
  type WriteOutcome,
  type Written,
} from "./ports/lease-store.ts";
