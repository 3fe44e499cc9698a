/**
 * The writing side of lease assignment (`core/assignments.ts`), for the leader and its deputy: writes into
 * the fleet rows what the plan wants of each worker.
 *
 * Owns: since when a worker holds fewer leases than its rows in the table. Never does: plan.
 */
import { changedRows, publishedSize } from "../core/assignments.ts";
import type { Decisions } from "../core/decide.ts";
import { countsByOwner } from "../core/lease.ts";
import type { FleetSize } from "../core/member.ts";
import type { BackgroundTasks } from "./background-tasks.ts";
import { forEachBounded } from "./bounded.ts";
import type { Ports } from "./engine-context.ts";
import type { FleetPoller } from "./fleet-poller.ts";

export interface AssignerDeps {
  readonly ports: Pick<Ports, "store" | "clock" | "logger">;
  readonly poller: FleetPoller;
  readonly backgroundTasks: BackgroundTasks;
  readonly failoverTimeMillis: number;
  /** Workers × shards from which the leader assigns. */
  readonly assignsFrom: number;
}

/** A fleet that restarts as a whole is small for a moment. */
const SMALL_FOR_MILLIS = 60_000;
/**
 * Part of the failover time. A heartbeat, with the count of a lease just claimed, comes every third of it.
 */
const UNDERFILLED_PART = 0.5;

export class Assigner {
  readonly #deps: AssignerDeps;
  /** By worker id: since when it holds fewer leases than the rows give it (monotonic). */
  readonly #underfilledSince = new Map<string, number>();
  /** When no worker was underfilled, or when the cache was last distrusted because some were. */
  #doubtedMillis = Number.NEGATIVE_INFINITY;
  #assigns = false;
  /** Since when the fleet has been small although the leader assigns (monotonic). */
  #smallSince: number | undefined;

  constructor(deps: AssignerDeps) {
    this.#deps = deps;
  }

  /** Workers that have held fewer leases than the rows give them for longer than a claim takes. */
  underfilled(): ReadonlySet<string> {
    const { ports, poller, failoverTimeMillis } = this.#deps;
    const { role, cache } = poller;
    if (role === "reads" || role === "follows") {
      this.#underfilledSince.clear();
      return new Set();
    }
    const now = ports.clock.monotonicMillis();
    const takenUp = [...cache.table.values()].filter(({ isPending }) => isPending !== true);
    const counts = countsByOwner(takenUp);
    const underfilled = new Set<string>();
    for (const { workerId, leases, state } of cache.members()) {
      const lacks = state !== "dead" && leases !== undefined && (counts.get(workerId) ?? 0) > leases;
      const since = this.#underfilledSince.get(workerId) ?? now;
      if (lacks) this.#underfilledSince.set(workerId, since);
      else this.#underfilledSince.delete(workerId);
      if (lacks && now - since > UNDERFILLED_PART * failoverTimeMillis) underfilled.add(workerId);
    }
    // Assigning the leases again has not helped: the rows may differ from what this worker has read.
    if (underfilled.size === 0) this.#doubtedMillis = now;
    else if (now - this.#doubtedMillis > failoverTimeMillis) {
      this.#doubtedMillis = now;
      poller.distrust();
    }
    return underfilled;
  }

  /**
   * @param decisions made from the last read, whatever has changed since (C1)
   * @param isOverdue leases are unread for so long that the deputy assigns too. At other times two workers
   *   that judge another one differently would move leases back and forth.
   */
  assign({ assignments, size, leads }: Decisions, isOverdue: boolean): void {
    const { ports, poller, backgroundTasks } = this.#deps;
    const { role, cache } = poller;
    if (!leads && !(role === "stands-in" && isOverdue)) return;
    const published = this.#sizeToPublish(size);
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
    const changes = changedRows(cache.fleetRows.values(), assigns ? assignments : [], published);
    if (changes.length === 0) return;
    backgroundTasks.start("assigning leases", async () => {
      await forEachBounded(changes, (change) =>
        ports.store.assign(change.fleetRow, change.assignments, change.size),
      );
    });
  }

  #sizeToPublish(size: FleetSize): FleetSize | undefined {
    const { ports, poller, assignsFrom } = this.#deps;
    const before = poller.cache.size;
    const published = publishedSize(before, size, assignsFrom);
    if (before === undefined || published !== undefined) {
      this.#smallSince = undefined;
      return published;
    }
    const now = ports.clock.monotonicMillis();
    this.#smallSince ??= now;
    return now - this.#smallSince > SMALL_FOR_MILLIS ? undefined : size;
  }
}
