/**
 * The leader's side of lease assignment (`core/assignments.ts`), and its deputy's: writes into the fleet rows what the plan
 * wants of each worker. Owns: since when a worker holds fewer leases than the rows give it. Never does: plan.
 */
import { changedPages, countsByOwner, publishedSize } from "../core/assignments.ts";
import type { Decisions } from "../core/decide.ts";
import { forEachBounded } from "./bounded.ts";
import type { Chores } from "./chores.ts";
import type { Ports } from "./engine-context.ts";
import type { FleetWatch } from "./fleet-watch.ts";

export interface AssignerDeps {
  readonly ports: Pick<Ports, "store" | "clock" | "logger">;
  readonly watch: FleetWatch;
  readonly chores: Chores;
  readonly failoverTimeMillis: number;
  /** Workers × shards from which on the leader assigns. */
  readonly assignsFrom: number;
}

/** Of the failover time: a heartbeat, with the count of a lease just claimed, comes every third. */
const LACKING_PART = 0.5;

export class Assigner {
  readonly #deps: AssignerDeps;
  /** By worker id: since when it holds fewer leases than the rows give it (monotonic). */
  readonly #lackingSince = new Map<string, number>();
  #assigns = false;

  constructor(deps: AssignerDeps) {
    this.#deps = deps;
  }

  /** Call after each reading of the table. */
  lacking(): ReadonlySet<string> {
    const { ports, watch, failoverTimeMillis } = this.#deps;
    const now = ports.clock.monotonicMillis();
    const isLong = (millis: number) => now - millis > LACKING_PART * failoverTimeMillis;
    if (watch.role === "reads" || watch.role === "follows") this.#lackingSince.clear();
    else {
      const counts = countsByOwner(watch.view.table.values());
      for (const { workerId, leases, state } of watch.view.members()) {
        const lacks = state !== "dead" && leases !== undefined && (counts.get(workerId) ?? 0) > leases;
        if (!lacks) this.#lackingSince.delete(workerId);
        else if (!this.#lackingSince.has(workerId)) this.#lackingSince.set(workerId, now);
      }
    }
    return new Set([...this.#lackingSince].filter(([, millis]) => isLong(millis)).map(([id]) => id));
  }

  /**
   * @param decisions made on a table as new as the newest generation seen
   * @param isOverdue leases are unread for so long that the deputy assigns as well. At other times two who may judge a worker
   *   differently would move leases back and forth.
   */
  assign({ assignments, size, leads }: Decisions, isOverdue: boolean): void {
    const { ports, watch, chores, assignsFrom } = this.#deps;
    const { role, view } = watch;
    const mayAssign = leads || (role === "stands-in" && isOverdue);
    if (!mayAssign) return;
    const published = publishedSize(view.size, size, assignsFrom);
    const assigns = published !== undefined;
    if (leads && assigns !== this.#assigns) {
      this.#assigns = assigns;
      ports.logger.info(
        { ...size },
        assigns
          ? "the fleet is so large that the leader assigns the leases: the other workers read only their fleet rows"
          : "every worker reads the lease table for itself",
      );
    }
    const changes = new Map(
      changedPages(view.pages.values(), assigns ? assignments : []).map((change) => [change.page, change]),
    );
    const first = view.pages.get(0);
    const isResized = JSON.stringify(published) !== JSON.stringify(view.size);
    if (first !== undefined && isResized && !changes.has(0))
      changes.set(0, { page: 0, assignments: first.assignments ?? [] });
    if (changes.size === 0) return;
    chores.start("assigning leases", async () => {
      await forEachBounded([...changes.values()], ({ page, assignments: next }) =>
        ports.store.assign(page, next, page === 0 ? published : undefined),
      );
    });
  }
}
