/** The front door: the resharder's planner and the shapes of what its Lambda takes and answers. */
export { InvalidInput, MAX_SHARDS, MAX_TASKS, parseRequest, type RebalanceRequest } from "./input.ts";
export type { CheckResult, PlanResult, ResharderEvent, ReshardResult } from "./make-handler.ts";
export {
  IncompleteListing,
  inOneCall,
  type OpenShard,
  planReshard,
  type ReshardStep,
  UnplannableReshard,
} from "./plan-reshard.ts";
