/**
 * The work of this worker for the whole fleet: it marks expired members dead. While it leads, it also removes
 * dead entries, lists shards and cleans up.
 *
 * Owns: when each was last done. Never does: decide which members are expired, or which worker leads.
 */
import type { Decisions } from "../core/decide.ts";
import type { Member } from "../core/member.ts";
import type { BackgroundTasks } from "./background-tasks.ts";
import { DeadMarker } from "./dead-marker.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import type { FleetPoller } from "./fleet-poller.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { Reminders } from "./reminders.ts";
import type { IdentifiedStream } from "./stream-identity.ts";

export interface FleetMaintenanceDeps {
  readonly ports: Ports & { readonly stream: IdentifiedStream };
  readonly options: EngineOptions;
  readonly poller: FleetPoller;
  readonly backgroundTasks: BackgroundTasks;
  /** Rows were created or removed: all workers should scan the table. */
  changed(): void;
  wakeUp(): void;
}

const LISTING = "listing shards";

export class FleetMaintenance {
  readonly duties: LeaderDuties;
  readonly #deps: FleetMaintenanceDeps;
  readonly #deadMarker: DeadMarker;
  readonly #trials = new Reminders();

  constructor(deps: FleetMaintenanceDeps) {
    const { ports, options, poller } = deps;
    this.#deps = deps;
    this.duties = new LeaderDuties(ports, poller.cache, options);
    this.#deadMarker = new DeadMarker(ports, options.failoverTimeMillis);
  }

  perform(decisions: Decisions): void {
    const { backgroundTasks, ports, poller } = this.#deps;
    this.markDead(decisions.markDead);
    for (const member of decisions.remove)
      backgroundTasks.start(`removing the entry of ${member.workerId}`, async () => {
        await ports.store.leave(poller.rowOf(member), member);
      });
    if (decisions.leads) this.#lead(decisions);
    else {
      this.duties.resigned();
      backgroundTasks.forget(LISTING);
    }
  }

  markDead(members: readonly Member[]): void {
    for (const member of members)
      this.#deps.backgroundTasks.start(`marking ${member.workerId} dead`, () => this.#markDead(member));
  }

  async syncShards() {
    // A worker that follows has no recent scan, and must not create rows that exist.
    const { poller } = this.#deps;
    if (poller.role !== "reads" && !poller.isCurrent) await poller.scan();
    const synced = await this.duties.syncShards();
    if (synced.created > 0) this.#deps.changed();
    return synced;
  }

  async #markDead(member: Member): Promise<void> {
    const { poller, wakeUp } = this.#deps;
    const fleetRow = poller.rowOf(member);
    try {
      if (await this.#deadMarker.mark(fleetRow, member)) wakeUp();
    } catch (error) {
      // What stops this worker from writing that fleet row may also stop its members from writing it.
      poller.cache.restartObservation(fleetRow);
      throw error;
    }
  }

  #lead(decisions: Decisions): void {
    const { backgroundTasks, ports, poller } = this.#deps;
    const now = ports.clock.monotonicMillis();
    for (const { workerId, earlyDeaths } of decisions.onTrial)
      if (this.#trials.isDue(workerId, now))
        ports.logger.warn(
          { member: workerId, earlyDeaths },
          "workers died within seconds of joining: this one follows them, and is planned with one lease until it has lived longer",
        );
    if (!poller.cache.hasApplication)
      backgroundTasks.start("writing the application's row", () => this.duties.restoreApplication());
    if (this.duties.syncIsDue(now)) {
      backgroundTasks.start(LISTING, async () => {
        await this.syncShards();
        this.duties.publish(decisions.fleet);
      });
    } else if (this.duties.cleanupIsDue(now)) {
      backgroundTasks.start("cleaning up completed leases", async () => {
        await poller.scan();
        await this.duties.cleanUp();
      });
    }
  }
}
