/** Performs the fault plan of a run on its cluster. */

import { isEnded } from "../../../src/core/lease.ts";
import type { Member } from "../../../src/core/member.ts";
import type { Cluster, SimWorker } from "../cluster.ts";
import { Prng } from "../world/prng.ts";
import { CRASH_LOOP_MILLIS, type Outage, type TamperingPlan, type Window } from "./plan.ts";
import { failoverOf } from "./unequal.ts";

const POLL_MILLIS = 100;

export class FaultInjector {
  readonly #cluster: Cluster;
  readonly #prng: Prng;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#prng = new Prng(cluster.swarm.seed).fork("faults happen");
  }

  /** Schedules all faults of the plan. */
  schedule(): void {
    const { scheduler, swarm, history } = this.#cluster;
    const { faults } = swarm;
    for (const outage of faults.outages) scheduler.at(outage.at, "outage", () => this.#outage(outage));
    for (const { at, millis } of faults.downstreamOutages) {
      scheduler.at(at, "downstream", () => {
        const until = at + millis;
        history.add({ type: "outage", service: "downstream", how: "failing", share: 1, until });
      });
    }
    for (const plan of faults.tampering) scheduler.at(plan.at, "tampering", () => this.#tamper(plan));
    for (const [index, window] of faults.stuckJoiners.entries())
      scheduler.at(window.at, "stuck joiner", () => this.#stuckJoiner(`stuck${index}`, window));
    for (const { at, who } of faults.duplicates) scheduler.at(at, "duplicate", () => this.#duplicate(who));
    for (const window of faults.deploys) scheduler.at(window.at, "deploy", () => this.#deploy(window));
    const loop = faults.crashLoop;
    if (loop !== undefined) scheduler.at(loop.at, "crash loop", () => this.#crashLoop(loop, loop.times));
  }

  #outage({ millis, service, how, what, share, who, operation }: Outage): void {
    const { scheduler, history, outages } = this.#cluster;
    const until = scheduler.now + millis;
    const worker = who === "fleet" ? undefined : this.#pick(who);
    if (who !== "fleet" && worker === undefined) return;
    outages.begin({ service, how, what, share, worker: worker?.id, operation, until });
    // Failing creates are no outage: no heartbeat depends on them.
    if (who === "fleet" && operation === undefined)
      history.add({ type: "outage", service, how, share, until });
    else if (worker !== undefined) {
      const detail = `${service} ${how} ${operation ?? what}`;
      history.add({ type: "trouble", worker: worker.id, kind: "refused", until, detail });
    }
  }

  #tamper({ who, what, repairAfterMillis }: TamperingPlan): void {
    const { table, stream, scheduler, swarm } = this.#cluster;
    const fleetRows = table.fleetRows();
    const leases = table.leases().filter((lease) => !isEnded(lease) && !table.isGarbled(lease.leaseKey));
    // The row of a shard with children shows that they must wait: without it their order is lost, for any
    // engine.
    const open = leases.filter(({ leaseKey }) => stream.shard(leaseKey)?.closedAt === undefined);
    // Where caps leave a lease unowned, no worker tries to take it, so no worker notices the edited owner.
    const owned = leases.filter(({ owner }) => owner !== undefined || swarm.cap.kind === "none");
    const choices = what === "delete-lease" ? open : what === "garble-lease" ? leases : owned;
    const lease = pickAt(choices, who);
    const fleetRow = pickAt(fleetRows, who);
    switch (what) {
      case "delete-lease":
        if (lease) table.deleteByHand(lease.leaseKey);
        return;
      case "garble-lease":
        if (lease === undefined) return;
        table.garbleByHand(lease.leaseKey);
        scheduler.after(repairAfterMillis, "repair", () => table.repairByHand(lease.leaseKey));
        return;
      case "edit-owner":
      case "edit-owner-silently": {
        const owners = ["", "nobody-known", ...this.#cluster.up().map(({ id }) => id)];
        const owner = this.#prng.pick(owners);
        if (lease) table.editOwnerByHand(lease, owner === "" ? undefined : owner, what === "edit-owner");
        return;
      }
      case "delete-fleet-row":
        if (fleetRow)
          table.editFleetRowByHand(fleetRow.number, undefined, `fleet row ${fleetRow.number} deleted`);
        return;
      case "delete-member": {
        const member = fleetRow && pickAt(fleetRow.members, this.#prng.next());
        if (fleetRow === undefined || member === undefined) return;
        const members = fleetRow.members.filter((other) => other !== member);
        table.editFleetRowByHand(
          fleetRow.number,
          { ...fleetRow, members },
          "member deleted",
          member.workerId,
        );
        return;
      }
      case "set-back-generation": {
        const first = fleetRows.find((row) => row.number === 0);
        if (first === undefined) return;
        const version = this.#prng.pick([0, Math.floor(first.version / 2)]);
        table.editFleetRowByHand(0, { ...first, version: version }, `generation ${version}`);
      }
    }
  }

  /** A process whose heartbeat moves and that never becomes active. */
  #stuckJoiner(workerId: string, { millis }: Window): void {
    const { table, scheduler, swarm, history } = this.#cluster;
    const until = scheduler.now + millis;
    // As a worker of this id has it, where the workers' options differ.
    const failoverTimeMillis = failoverOf(swarm, workerId);
    let heartbeat = 0;
    const entry = (): Member => ({
      workerId,
      incarnation: "stuck",
      heartbeat: ++heartbeat,
      state: "joining",
      maxLeases: undefined,
      steals: true,
      failoverTimeMillis,
    });
    const joined = [0, 1, 2].find((fleetRow) => table.join(workerId, fleetRow, entry()).kind === "ok");
    if (joined === undefined) return;
    const sendHeartbeat = () => {
      if (scheduler.now >= until) {
        // From here on it is a member that died.
        history.add({
          type: "trouble",
          worker: workerId,
          kind: "crash",
          until: undefined,
          detail: "stuck joiner",
        });
        return;
      }
      table.sendHeartbeat(workerId, joined, entry(), false);
      scheduler.after(failoverTimeMillis / 3, "stuck joiner beats", sendHeartbeat);
    };
    sendHeartbeat();
  }

  #duplicate(who: number): void {
    const worker = this.#pick(who);
    if (worker?.state === "joined") this.#cluster.startDuplicate(worker);
  }

  /** Starts one new worker for each running one, and then stops the old ones. */
  #deploy({ millis }: Window): void {
    const { scheduler } = this.#cluster;
    const old = this.#cluster.up();
    for (const [index, worker] of old.entries()) {
      scheduler.after((index * millis) / old.length, "deploy", () => {
        this.#cluster.startWorker();
        scheduler.after(millis / old.length, "deploy stops", () => this.#cluster.stopWorker(worker));
      });
    }
  }

  #crashLoop(loop: { livesMillis: number; sameId: boolean }, times: number, id = "crasher"): void {
    const { scheduler } = this.#cluster;
    const worker = this.#cluster.startWorker(id);
    const giveUpAt = scheduler.now + CRASH_LOOP_MILLIS;
    const whenJoined = () => {
      if (worker.state === "starting" && scheduler.now < giveUpAt)
        return void scheduler.after(POLL_MILLIS, "crash loop waits", whenJoined);
      scheduler.after(loop.livesMillis, "crash loop", () => {
        // Something else has ended it, and restarts it if anything does. A second restart would make two
        // processes with one id.
        if (worker.state === "gone") return;
        this.#cluster.crash(worker, "crash loop");
        const next = loop.sameId ? id : `crasher${times}`;
        if (times > 1) this.#crashLoop(loop, times - 1, next);
        // The repaired version.
        else this.#cluster.startWorker(next);
      });
    };
    whenJoined();
  }

  #pick(who: number): SimWorker | undefined {
    return pickAt(this.#cluster.up(), who);
  }
}

function pickAt<T>(choices: readonly T[], who: number): T | undefined {
  return choices[Math.min(choices.length - 1, Math.floor(who * choices.length))];
}
