/**
 * The receiving side of lease assignment: does what the leader assigns to this worker
 * (`core/assignments.ts`).
 *
 * Owns: which assignments were found outdated. Never does: plan.
 *
 * A1: a lease is claimed only if its row is still as the leader read it.
 * A2: a leaver that gets no assignments for its leases releases them, so that a stop never waits for a
 *     leader.
 */
import { isAsAssigned } from "../core/assignments.ts";
import { actualOwner } from "../core/lease.ts";
import type { Assignment } from "../core/member.ts";
import type { BackgroundTasks } from "./background-tasks.ts";
import { forEachBounded } from "./bounded.ts";
import type { Ports } from "./engine-context.ts";
import type { FleetPoller } from "./fleet-poller.ts";
import type { ShardTasks } from "./shard-tasks.ts";

export interface FollowerDeps {
  readonly ports: Pick<Ports, "store">;
  readonly poller: FleetPoller;
  readonly tasks: ShardTasks;
  readonly backgroundTasks: BackgroundTasks;
}

/**
 * A2. Long enough for the leader to scan the table, and for this worker to read its fleet row, several times.
 */
const UNASSIGNED_MILLIS = 6_000;

export class Follower {
  readonly #deps: FollowerDeps;
  /** A1. Assignments (as JSON) whose lease rows were read and had changed. */
  #outdated: ReadonlySet<string> = new Set();

  constructor(deps: FollowerDeps) {
    this.#deps = deps;
  }

  /** The worker to which this worker should hand over a lease. */
  targetOf(leaseKey: string): string | undefined {
    return this.#own().find((assignment) => assignment.leaseKey === leaseKey && !this.#isForSelf(assignment))
      ?.to;
  }

  /**
   * @param leavingMillis how long this worker has been leaving; undefined while it stays
   * @returns this worker's assignments; while they change, it polls often
   */
  follow(leavingMillis: number | undefined): readonly Assignment[] {
    const { poller, tasks, backgroundTasks } = this.#deps;
    const { state } = poller.membership.member;
    const own = this.#own();
    if (state === "joining") return own;
    for (const assignment of own)
      if (!this.#isForSelf(assignment))
        tasks.get(assignment.leaseKey)?.handOver(assignment.to, "assigned by the leader");
    if (leavingMillis !== undefined && leavingMillis > UNASSIGNED_MILLIS)
      for (const task of tasks.all) task.release("stopping, and no worker is assigned to take it");
    const wanted = own.filter((assignment) => this.#isForSelf(assignment) && !tasks.has(assignment.leaseKey));
    const isOutdated = (assignment: Assignment) => this.#outdated.has(JSON.stringify(assignment));
    const fresh = wanted.filter((assignment) => !isOutdated(assignment));
    this.#outdated = new Set(wanted.filter(isOutdated).map((assignment) => JSON.stringify(assignment)));
    if (fresh.length > 0) backgroundTasks.start("claiming assigned leases", () => this.#take(fresh));
    return own;
  }

  async #take(wanted: readonly Assignment[]): Promise<void> {
    const { ports, poller, tasks } = this.#deps;
    const { workerId, incarnation } = poller.membership.member;
    const outdated = new Set(this.#outdated);
    await forEachBounded(wanted, async (assignment) => {
      const row = await ports.store.read(assignment.leaseKey);
      if (poller.membership.member.incarnation !== incarnation) return;
      if (row === undefined || !isAsAssigned(row, assignment)) {
        outdated.add(JSON.stringify(assignment));
        return;
      }
      const owner = actualOwner(row);
      const reason = owner === workerId ? "received" : owner === undefined ? "unowned" : "owner-gone";
      tasks.claim(row, reason);
    });
    this.#outdated = outdated;
  }

  #isForSelf({ to }: Assignment): boolean {
    return to === this.#deps.poller.membership.member.workerId;
  }

  #own(): readonly Assignment[] {
    const { cache, membership } = this.#deps.poller;
    const assignments = cache.fleetRows.get(membership.fleetRow)?.assignments ?? [];
    return assignments.filter(({ worker }) => worker === membership.member.workerId);
  }
}
