/**
 * What a run's third generation of draws may contain: outages, refusals, blocked loops, rows edited by hand,
 * and more.
 */
import type { Swarm } from "../swarm.ts";
import type { CallService, OutageHow } from "../world/outages.ts";
import type { Prng } from "../world/prng.ts";
import type { FaultKind } from "./plan.ts";

export interface Outage {
  readonly at: number;
  readonly millis: number;
  readonly service: CallService;
  readonly how: OutageHow;
  /** writes: reads of the table still succeed. */
  readonly what: "all" | "writes";
  /** Share of all calls that it hits. */
  readonly share: number;
  /** fleet: every worker. A number: the worker at this place in the list (0 to 1). */
  readonly who: "fleet" | number;
  /** Only this operation. */
  readonly operation?: string;
}

export type Tampering =
  | "delete-lease"
  | "garble-lease"
  | "edit-owner"
  | "edit-owner-silently"
  | "delete-fleet-row"
  | "delete-member"
  | "set-back-generation";

export interface TamperingPlan {
  readonly at: number;
  readonly who: number;
  readonly what: Tampering;
  /** Garbled rows are repaired after this time. */
  readonly repairAfterMillis: number;
}

export interface Window {
  readonly at: number;
  readonly millis: number;
}

export interface BlockedLoops {
  /** Share of all handler calls while there are faults, and how long each of them blocks. */
  readonly share: number;
  readonly millis: number;
  /**
   * Of every call, also after healing: a synchronous handler. A batch above some size takes longer than the
   * failover time.
   */
  readonly millisPerRecord: number;
}

export interface FaultPlan {
  readonly kinds: readonly FaultKind[];
  readonly outages: readonly Outage[];
  /** Share of all calls that never settle (half of them take effect). */
  readonly hungCalls: { readonly store: number; readonly stream: number };
  readonly blockedLoops: BlockedLoops | undefined;
  /** A worker's own failover time, picked by its id. Empty: all workers have the swarm's. */
  readonly failoverTimesMillis: readonly number[];
  /** Share of the workers that do not steal although the others do. */
  readonly notStealing: number;
  /** A cap function returns up to this much more than it must, at random. */
  readonly capNoise: number;
  /** Share of the workers that plan with another version of the planner. */
  readonly otherPlanner: number;
  readonly tampering: readonly TamperingPlan[];
  readonly downstreamOutages: readonly Window[];
  /** Members that stay in state "joining" while their heartbeat moves. */
  readonly stuckJoiners: readonly Window[];
  /** A second process with the id of a running worker. */
  readonly duplicates: readonly { readonly at: number; readonly who: number }[];
  /** All workers are replaced, one after another within `millis`. */
  readonly deploys: readonly Window[];
  /** A worker that crashes `livesMillis` after it has joined and is restarted at once, `times` times. */
  readonly crashLoop:
    | { readonly at: number; readonly livesMillis: number; readonly times: number; readonly sameId: boolean }
    | undefined;
}

export const NO_FAULT_PLAN: FaultPlan = {
  kinds: [],
  outages: [],
  hungCalls: { store: 0, stream: 0 },
  blockedLoops: undefined,
  failoverTimesMillis: [],
  notStealing: 0,
  capNoise: 0,
  otherPlanner: 0,
  tampering: [],
  downstreamOutages: [],
  stuckJoiners: [],
  duplicates: [],
  deploys: [],
  crashLoop: undefined,
};

/** `swarm`: what the kind changes in the drawn swarm. */
export interface Drawn {
  readonly plan: Partial<FaultPlan>;
  readonly swarm?: Partial<Swarm>;
}

export interface Kind {
  /** The engine holds every invariant under it, so it is among the kinds that a seed draws from. */
  readonly ready: boolean;
  readonly draw: (prng: Prng, swarm: Swarm) => Drawn;
}
