/** Public interface: the resharder's planner, and its Lambda function's input and output types. */
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
