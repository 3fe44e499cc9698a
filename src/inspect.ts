/**
 * `evenkeel/inspect`: the rows of a lease table, and the decisions that the workers of a fleet make from
 * them. For monitors and other tools. Unstable: it changes with the engine, in any release.
 */
export { dynamoDbLeaseStore } from "./adapters/dynamodb/lease-store.ts";
export { type Decisions, decide, type FleetSummary } from "./core/decide.ts";
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
export {
  type LeaseListing,
  type LeaseStore,
  StoreUnavailableError,
  StoreUnusableError,
} from "./ports/lease-store.ts";
