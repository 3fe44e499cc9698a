/**
 * What this worker does for the fleet beside its own leases: it marks expired members dead and, while it leads, removes
 * dead entries, lists shards and cleans up. Owns: when each was done last. Never does: decide who is expired or leads.
 */
import type { Decisions } from "../core/decide.ts";
import type { Member } from "../core/member.ts";
import type { Chores } from "./chores.ts";
import { Declarations } from "./declarations.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import type { FleetWatch } from "./fleet-watch.ts";
import { LeaderDuties } from "./leader-duties.ts";
import { Reminders } from "./reminders.ts";
import type { IdentifiedStream } from "./stream-identity.ts";

export interface FleetUpkeepDeps {
  readonly ports: Ports & { readonly stream: IdentifiedStream };
  readonly options: EngineOptions;
  readonly watch: FleetWatch;
  readonly chores: Chores;
  /** Rows were created or removed: all workers should read the table. */
  changed(): void;
  wakeUp(): void;
}

const LISTING = "listing shards";

export class FleetUpkeep {
  readonly duties: LeaderDuties;
  readonly #deps: FleetUpkeepDeps;
  readonly #declarations: Declarations;
  readonly #trials = new Reminders();

  constructor(deps: FleetUpkeepDeps) {
    const { ports, options, watch } = deps;
    this.#deps = deps;
    this.duties = new LeaderDuties(ports, watch.view, options);
    this.#declarations = new Declarations(ports, options.failoverTimeMillis);
  }

  perform(decisions: Decisions): void {
    const { chores, ports, watch } = this.#deps;
    this.declareDead(decisions.declareDead);
    for (const member of decisions.bury)
      chores.start(`removing the entry of ${member.workerId}`, async () => {
        await ports.store.leave(watch.pageOf(member), member);
      });
    if (decisions.leads) this.#lead(decisions);
    else {
      this.duties.resigned();
      chores.forget(LISTING);
    }
  }

  declareDead(members: readonly Member[]): void {
    for (const member of members)
      this.#deps.chores.start(`marking ${member.workerId} dead`, () => this.#declareDead(member));
  }

  async syncShards() {
    // A worker that follows has not read the table of late, and must not create what is there.
    const { watch } = this.#deps;
    if (watch.role !== "reads" && !watch.isCurrent) await watch.scan();
    const synced = await this.duties.syncShards();
    if (synced.created > 0) this.#deps.changed();
    return synced;
  }

  async #declareDead(member: Member): Promise<void> {
    const { watch, wakeUp } = this.#deps;
    const page = watch.pageOf(member);
    try {
      if (await this.#declarations.declare(page, member)) wakeUp();
    } catch (error) {
      // What keeps this worker from writing that fleet row may keep its members from writing it too.
      watch.view.restartObservation(page);
      throw error;
    }
  }

  #lead(decisions: Decisions): void {
    const { chores, ports, watch } = this.#deps;
    const now = ports.clock.monotonicMillis();
    for (const { workerId, earlyDeaths } of decisions.onTrial)
      if (this.#trials.isDue(workerId, now))
        ports.logger.warn(
          { member: workerId, earlyDeaths },
          "workers died within seconds of joining: this one follows them, and is planned with one lease until it has lived longer",
        );
    if (!watch.view.hasApplication)
      chores.start("writing the application's row", () => this.duties.restoreApplication());
    if (this.duties.syncIsDue(now)) {
      chores.start(LISTING, async () => {
        await this.syncShards();
        this.duties.publish(decisions.fleet);
      });
    } else if (this.duties.cleanupIsDue(now)) {
      chores.start("cleaning up completed leases", async () => {
        await watch.scan();
        await this.duties.cleanUp();
      });
    }
  }
}
