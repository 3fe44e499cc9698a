/** Reads the whole state of the run at once, and says when the fleet is as it must be and will stay so. */
import { SHARD_END } from "../../src/core/lease.ts";
import { isOnTrial } from "../../src/core/trial.ts";
import { Allowances } from "./checkers/allowances.ts";
import { isHeldUp } from "./checkers/records.ts";
import { type Cluster, capOf } from "./cluster.ts";
import { unbalance } from "./fleet-view.ts";
import { Beginning } from "./world/beginning.ts";

/** After a block, a worker has noticed within this time whether it was marked dead. */
const HEARS_MILLIS = 3_000;

/** The owner of a shard reads it at least this often, or retries the record that halts it. */
const BUSY_WITHIN_MILLIS = 75_000;

export class Oracle {
  readonly #cluster: Cluster;
  readonly #earliest: number;
  readonly #allowances: Allowances;
  readonly #beginning: Beginning;
  readonly #parents = new Map<string, readonly string[]>();
  readonly #owners = new Map<string, string | undefined>();
  /**
   * By lease: the owner before its row was edited by hand. It continues to read until its next write is
   * refused.
   */
  readonly #unaware = new Map<string, string | undefined>();
  /** By shard. */
  readonly #lastBusy = new Map<string, { readonly worker: string; readonly t: number }>();
  #seen = 0;

  /** @param earliest before it, nothing is final: records are still put */
  constructor(cluster: Cluster, earliest: number) {
    this.#cluster = cluster;
    this.#earliest = earliest;
    this.#allowances = new Allowances(cluster.swarm);
    this.#beginning = new Beginning(cluster.swarm);
  }

  /** Takes in the events since the last poll. */
  poll(): void {
    const { events } = this.#cluster.history;
    for (; this.#seen < events.length; this.#seen++) {
      const event = events[this.#seen]!;
      this.#allowances.add(event);
      this.#beginning.add(event);
      if (event.type === "shard" && event.action === "opened")
        this.#parents.set(event.shardId, event.parents);
      if (event.type === "write") this.#owners.set(event.leaseKey, event.after?.owner);
      if (event.type === "read" || event.type === "threw") this.#lastBusy.set(event.shardId, event);
      if (event.type === "trouble" && event.kind === "crash")
        for (const [shardId, { worker }] of this.#lastBusy)
          if (worker === event.worker) this.#lastBusy.delete(shardId);
      if (event.type === "write" || event.type === "refused") this.#unaware.delete(event.leaseKey);
      if (event.type === "tampered" && event.leaseKey !== undefined && event.what !== "garbled")
        this.#unaware.set(event.leaseKey, this.#owners.get(event.leaseKey));
    }
  }

  /** By shard: the worker that has halted it. */
  get halted(): ReadonlyMap<string, string> {
    return this.#allowances.halted;
  }

  /** Why the fleet is not yet as it must be; undefined: it is. */
  unsettled(): string | undefined {
    const { swarm, table, stream, scheduler } = this.#cluster;
    if (scheduler.now < this.#earliest) return "puts are still going on";
    if (this.#cluster.restartsDue > 0) return "a crashed worker is still to be restarted";
    const waiting = this.#cluster.workers.find(
      (worker) => worker.state === "starting" || worker.state === "stopping",
    );
    if (waiting !== undefined) return `${waiting.id} is still ${waiting.state}`;
    // It may have been marked dead, and joins again when it notices.
    const blocked = this.#cluster.workers.find(
      ({ process, state }) => state === "joined" && process.blockedUntil + HEARS_MILLIS > scheduler.now,
    );
    if (swarm.faults.blockedLoops !== undefined && blocked !== undefined)
      return `${blocked.id} is or was just blocked`;
    const leases = table
      .leases()
      .map((lease) =>
        this.#isUnaware(lease.leaseKey) ? { ...lease, owner: this.#unaware.get(lease.leaseKey) } : lease,
      );
    const rows = new Set(leases.map((lease) => lease.leaseKey));
    const missing = stream
      .openShards()
      .find(({ shard: { shardId } }) => !rows.has(shardId) && !this.#isUnaware(shardId));
    if (missing !== undefined) return `${missing.shard.shardId} is open and has no lease row`;
    const up = this.#cluster.up();
    const owners = new Set(leases.map((lease) => lease.owner));
    for (const member of table.fleetRows().flatMap((fleetRow) => fleetRow.members)) {
      const { workerId, state } = member;
      // After the trial it gets its share.
      if (isOnTrial(member)) return `${workerId} is on trial`;
      const isUp = up.some((worker) => worker.id === workerId);
      // Where the caps leave no room, leases stay in a dead member's name, and so does its entry. If a Java
      // worker took them since, the table has changed and the fleet version has not.
      const mayBeNamed = owners.has(workerId) || (swarm.cap.kind !== "none" && swarm.javaShifts.length > 0);
      if (!isUp && !(state === "dead" && mayBeNamed))
        return `${workerId} is gone and still a member (${state})`;
    }
    const open = stream.openShards().length;
    const cap = capOf(swarm.cap, open, up.length);
    const problem = unbalance(leases, {
      // A cap that varies at random lets through more than an even share.
      caps: new Map(up.map((worker) => [worker.id, swarm.faults.capNoise > 0 ? undefined : cap])),
      steals: swarm.steals && swarm.faults.notStealing === 0,
      // Two versions that assign the odd leases in opposite orders each accept the other's result as even.
      // Each may also wait for the other's hand-overs to a joiner, until the deploy is over.
      apart:
        swarm.faults.otherPlanner > 0 ? Math.max(2, Math.ceil(leases.length / Math.max(1, up.length))) : 1,
    });
    if (problem !== undefined) return problem;
    const ending = leases.find(
      ({ leaseKey, owner, checkpoint }) =>
        stream.shard(leaseKey)?.closedAt !== undefined &&
        checkpoint.sequenceNumber !== SHARD_END &&
        !this.#isHeldUp(leaseKey) &&
        up.some((worker) => worker.id === owner),
    );
    if (ending !== undefined) return `${ending.leaseKey} is closed and not yet at SHARD_END`;
    for (const data of stream.shards()) {
      const { shardId } = data.shard;
      const lost = data.records.find(
        (record) => this.#isDue(record.sequenceNumber) && this.#beginning.isDue(shardId, record.putAt),
      );
      if (lost === undefined || this.#isHeldUp(shardId)) continue;
      const lease = leases.find(({ leaseKey }) => leaseKey === shardId);
      // Leases that no worker may own because of the caps need not be handled.
      const owned = up.some((worker) => worker.id === lease?.owner);
      if (lease !== undefined && !owned && cap !== undefined) continue;
      return `${lost.key}#${lost.n} (${shardId} ${lost.sequenceNumber}) has not been handled`;
    }
    return undefined;
  }

  #isUnaware(leaseKey: string): boolean {
    const read = this.#lastBusy.get(leaseKey);
    const { now } = this.#cluster.scheduler;
    return (
      read !== undefined && read.worker === this.#unaware.get(leaseKey) && now - read.t < BUSY_WITHIN_MILLIS
    );
  }

  /** Where workers are not replaced, a halted shard stays halted. */
  #isHeldUp(shardId: string): boolean {
    return this.#cluster.swarm.remedy === "none" && isHeldUp(shardId, this.halted, this.#parents);
  }

  #isDue(sequenceNumber: string): boolean {
    return !this.#cluster.history.handled.has(sequenceNumber) && !this.#allowances.gaveUp(sequenceNumber);
  }
}
