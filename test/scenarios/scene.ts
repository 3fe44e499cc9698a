/**
 * The test environment of a scenario: the real decisions and the real engine in virtual time, without faults.
 * Owns what a step needs: what happened since the last one, and why.
 */
import { actualOwner, type Lease } from "../../src/core/lease.ts";
import { lineage, tableOf } from "../../src/core/lineage.ts";
import type { Member } from "../../src/core/member.ts";
import { checkCheckpoints } from "../simulation/checkers/checkpoints.ts";
import { checkFence } from "../simulation/checkers/fence.ts";
import { checkParents } from "../simulation/checkers/parents.ts";
import { checkRecords } from "../simulation/checkers/records.ts";
import { Cluster } from "../simulation/cluster.ts";
import { startEngine } from "../simulation/engine.ts";
import { faultFreeSwarm } from "../simulation/fault-free.ts";
import type { Swarm } from "../simulation/swarm.ts";
import { shardName } from "../simulation/world/stream-data.ts";

const PUT_INTERVAL_MILLIS = 250;
/** The reasons of the engine's writes that move a lease. */
const ACTIONS: Readonly<Record<string, string>> = {
  claim: "claimed",
  handOver: "handed-over",
  release: "released",
};

export interface Move {
  readonly leaseKey: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly reason: string;
}

export interface Step {
  readonly atMillis: number;
  readonly members: readonly (Member & { readonly leads: boolean; readonly crashed: boolean })[];
  readonly runnable: readonly Lease[];
  readonly blocked: readonly Lease[];
  readonly ended: readonly Lease[];
  readonly moves: readonly Move[];
  readonly created: readonly string[];
  readonly completed: readonly string[];
  readonly removed: readonly string[];
  /** Warnings and errors in the workers' logs. */
  readonly loud: readonly string[];
}

export class Scene {
  readonly cluster: Cluster;
  readonly #reasons = new Map<string, string>();
  #loud = new Set<string>();
  #seenEvents = 0;
  #recordsDue = 0;

  constructor(settings: Partial<Swarm>) {
    const swarm = faultFreeSwarm(settings);
    this.cluster = new Cluster(swarm, (ports, options) =>
      startEngine(ports, {
        ...options,
        log: (level, message, fields) => this.#heard(options.workerId, level, message, fields),
      }),
    );
    this.#putEvery(swarm.putsPerSecond);
  }

  worker(id: string) {
    const worker = this.cluster.workers.find((w) => w.id === id);
    if (worker === undefined) throw new Error(`there is no worker ${id}`);
    return worker;
  }

  get leader(): string {
    const active = this.#members().filter((m) => m.state === "active");
    if (active.length === 0) throw new Error("nobody leads");
    return active.map((m) => m.workerId).toSorted()[0]!;
  }

  /** Lets virtual time pass. @returns the state of the fleet after it */
  async advance(millis: number): Promise<Step> {
    const { scheduler, history, table } = this.cluster;
    await scheduler.run(scheduler.now + millis);
    const happened = history.events.slice(this.#seenEvents);
    this.#seenEvents = history.events.length;
    const writes = happened.filter((event) => event.type === "write");
    const keysOf = (operation: string) =>
      writes.filter((w) => w.operation === operation).map((w) => w.leaseKey);
    const moves = writes
      .filter((w) => w.operation in ACTIONS && w.before?.owner !== w.after?.owner)
      .map(({ worker, operation, leaseKey, before, after }) => ({
        leaseKey,
        from: before?.owner,
        to: after?.owner,
        reason: this.#reasons.get(`${worker} ${ACTIONS[operation]} ${leaseKey}`) ?? "under way",
      }));
    const loud = [...this.#loud];
    this.#loud = new Set();
    return {
      atMillis: scheduler.now,
      members: this.#members().map((m) => ({
        ...m,
        leads: m.state === "active" && m.workerId === this.leader,
        crashed: this.cluster.workers.findLast((w) => w.id === m.workerId)?.state === "gone",
      })),
      ...lineage(tableOf(table.leases())),
      moves,
      created: keysOf("create"),
      completed: keysOf("complete"),
      removed: keysOf("remove"),
      loud,
    };
  }

  /** Records that a handler has finished more than once. */
  get handledTwice(): number {
    const seen = new Set<string>();
    let twice = 0;
    for (const event of this.cluster.history.events) {
      if (event.type !== "handled") continue;
      for (const sequenceNumber of event.sequenceNumbers) {
        if (seen.has(sequenceNumber)) twice += 1;
        seen.add(sequenceNumber);
      }
    }
    return twice;
  }

  /** Records older than `millis` that no handler has finished. */
  unhandled(millis: number): number {
    const { stream, history, scheduler } = this.cluster;
    const old = stream.shards().flatMap((s) => s.records.filter((r) => r.putAt < scheduler.now - millis));
    return old.filter((r) => !history.handled.has(r.sequenceNumber)).length;
  }

  /** The simulator's invariants over the history so far; a witness for each that was broken. */
  complaints(): readonly string[] {
    const { swarm, history, escaped, table } = this.cluster;
    const evidence = {
      swarm,
      events: history.events,
      unsettled: "a scenario may end at any moment",
      quietMillis: 0,
      quietCalls: {},
      escaped,
      finalLeases: table.leases(),
      finalFleetRows: table.fleetRows(),
    };
    const verdicts = [checkFence, checkCheckpoints, checkParents, checkRecords].map((check) =>
      check(evidence),
    );
    return [...escaped, ...verdicts.flatMap((v) => (v.kind === "invalid" ? [v.witness] : []))];
  }

  #members(): Member[] {
    return this.cluster.table.fleetRows().flatMap((fleetRow) => fleetRow.members);
  }

  #heard(worker: string, level: string, message: string, fields: object): void {
    if (level === "warn" || level === "error") this.#loud.add(message);
    const action = /^lease (claimed|handed-over|released)$/.exec(message)?.[1];
    if (action === undefined || !("shardId" in fields && "reason" in fields)) return;
    this.#reasons.set(`${worker} ${action} ${fields.shardId}`, String(fields.reason).replace(/: to .*$/, ""));
  }

  #putEvery(perSecond: number): void {
    this.#recordsDue += (perSecond * PUT_INTERVAL_MILLIS) / 1_000;
    this.cluster.putSome(Math.floor(this.#recordsDue));
    this.#recordsDue -= Math.floor(this.#recordsDue);
    this.cluster.scheduler.after(PUT_INTERVAL_MILLIS, "put", () => this.#putEvery(perSecond));
  }
}

/** `7` for shardId-000000000007. */
export const shortName = (leaseKey: string): number => Number(leaseKey.replace("shardId-", ""));
export const longName = (number: number): string => shardName(number);
export const ownerOf = (lease: Lease): string | undefined => actualOwner(lease);
