/**
 * Lease assignment in one worker (`core/assignments.ts`): it assigns while it leads or stands in. Between its
 * scans it does what it is assigned.
 */
import { type Decisions, membersToMarkDead } from "../core/decide.ts";
import type { Facts } from "../core/facts.ts";
import { Assigner } from "./assigner.ts";
import type { BackgroundTasks } from "./background-tasks.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import type { FleetMaintenance } from "./fleet-maintenance.ts";
import type { FleetPoller } from "./fleet-poller.ts";
import { Follower } from "./follower.ts";
import type { ShardTasks } from "./shard-tasks.ts";

export interface LeaseAssignmentDeps {
  readonly ports: Ports;
  readonly options: EngineOptions;
  readonly poller: FleetPoller;
  readonly backgroundTasks: BackgroundTasks;
  readonly tasks: ShardTasks;
  readonly maintenance: FleetMaintenance;
}

export class LeaseAssignment {
  readonly #poller: FleetPoller;
  readonly #maintenance: FleetMaintenance;
  readonly #assigner: Assigner;
  readonly #follower: Follower;

  constructor(deps: LeaseAssignmentDeps) {
    const { failoverTimeMillis, leaseRenewal } = deps.options;
    // Beside Java workers, which take leases on their own, every worker must read its own rows.
    const assignsFrom = leaseRenewal === "lease" ? Number.POSITIVE_INFINITY : deps.options.assignsFrom;
    this.#poller = deps.poller;
    this.#maintenance = deps.maintenance;
    this.#assigner = new Assigner({ ...deps, failoverTimeMillis, assignsFrom });
    this.#follower = new Follower(deps);
  }

  underfilled(): ReadonlySet<string> {
    return this.#assigner.underfilled();
  }

  assign(decisions: Decisions, isOverdue: boolean): void {
    this.#assigner.assign(decisions, isOverdue);
  }

  /**
   * W6. The leader has scanned the table. What follows from the fleet rows alone needs no plan.
   *
   * @param leavingMillis how long this worker has been leaving
   * @returns a value that changes while something is assigned; then this worker polls often
   */
  follow(facts: Facts, leavingMillis: number): string {
    const { membership, cache } = this.#poller;
    this.#maintenance.markDead(membersToMarkDead(facts));
    const isLeaving = membership.member.state === "leaving";
    const assigned = this.#follower.follow(isLeaving ? leavingMillis : undefined);
    return `${cache.version} ${JSON.stringify(assigned)}`;
  }

  /** @param planned the worker that this worker's own plan gives the lease to */
  targetOf(leaseKey: string, planned: string | undefined): string | undefined {
    return this.#poller.role === "reads" ? planned : (planned ?? this.#follower.targetOf(leaseKey));
  }
}
