/** A fleet in virtual time whose ports a test breaks, and its figures, counted from its history. */
import type { Coordinator } from "../../../src/engine/coordinator.ts";
import type { EngineOptions } from "../../../src/engine/engine-context.ts";
import type { LeaseStore } from "../../../src/ports/lease-store.ts";
import { Cluster, type EnginePorts, type SimWorker } from "../../simulation/cluster.ts";
import { coordinatorOn } from "../../simulation/engine.ts";
import { faultFreeSwarm } from "../../simulation/fault-free.ts";
import type { Swarm } from "../../simulation/swarm.ts";

export interface Said {
  readonly at: number;
  readonly worker: string;
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export interface FleetSetup {
  readonly swarm?: Partial<Swarm>;
  /** Changes the ports that a worker gets. */
  readonly ports?: (ports: EnginePorts, workerId: string) => EnginePorts;
  readonly options?: Partial<EngineOptions>;
}

export class FaultyFleet {
  readonly cluster: Cluster;
  /** Warnings and errors. */
  readonly said: Said[] = [];
  readonly #engines = new Map<string, Coordinator>();
  #isPutting = false;

  constructor({ swarm = {}, ports: wrap = (ports) => ports, options: overrides = {} }: FleetSetup) {
    this.cluster = new Cluster(faultFreeSwarm(swarm), (ports, options) => {
      const { workerId } = options;
      const log: typeof options.log = (level, message, fields) => {
        options.log(level, message, fields);
        const line = { at: this.now, worker: workerId, level, message, fields: { ...fields } };
        if (level === "warn" || level === "error") this.said.push(line);
      };
      const engine = coordinatorOn(wrap(ports, workerId), { ...options, log }, overrides);
      this.#engines.set(workerId, engine);
      return {
        start: () => engine.start(),
        stop: async () => (await engine.stop(25_000)).join(" ") || undefined,
      };
    });
  }

  get now(): number {
    return this.cluster.scheduler.now;
  }

  engine(id: string): Coordinator {
    return this.#engines.get(id)!;
  }

  worker(id: string): SimWorker {
    return this.cluster.workers.findLast((worker) => worker.id === id)!;
  }

  async start(count: number, apartMillis = 20): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      this.cluster.startWorker();
      await this.run(apartMillis);
    }
  }

  run(millis: number): Promise<void> {
    return this.cluster.scheduler.run(this.now + millis);
  }

  /** 50 records a second until `settle`. */
  put(): void {
    this.#isPutting = true;
    const some = () => {
      if (!this.#isPutting) return;
      this.cluster.putSome(10);
      this.cluster.scheduler.after(200, "put", some);
    };
    some();
  }

  /** Puts no more records, and leaves time to process the existing ones. */
  async settle(millis = 10_000): Promise<void> {
    this.#isPutting = false;
    await this.run(millis);
  }

  owners(): (string | undefined)[] {
    return this.cluster.table.leases().map(({ owner }) => owner);
  }

  members(): string[] {
    return this.cluster.table
      .fleetRows()
      .flatMap((fleetRow) => fleetRow.members.map(({ workerId }) => workerId));
  }

  /** Counts what happened to the records, and to the workers from `since` on. */
  outcome(since = 0) {
    const { events } = this.cluster.history;
    const deliveries = new Map<string, number>();
    let markedDead = 0;
    let joins = 0;
    let put = 0;
    for (const event of events) {
      if (event.type === "put") put += 1;
      if (event.type === "handled")
        for (const number of event.sequenceNumbers) deliveries.set(number, (deliveries.get(number) ?? 0) + 1);
      if (event.type !== "member" || event.t < since) continue;
      if (event.operation === "markDead") markedDead += 1;
      if (event.operation === "join") joins += 1;
    }
    const twice = [...deliveries.values()].filter((count) => count > 1).length;
    return { markedDead, joins, twice, lost: put - deliveries.size };
  }
}

/** The store, with each call made through `call`. */
export function storeThrough(
  store: LeaseStore,
  call: (name: keyof LeaseStore, act: () => Promise<unknown>) => Promise<unknown>,
): LeaseStore {
  const wrapped = Object.entries(store).map(([name, method]) => [
    name,
    (...args: unknown[]) =>
      call(name as keyof LeaseStore, () => (method as (...all: unknown[]) => Promise<unknown>)(...args)),
  ]);
  return Object.fromEntries(wrapped) as LeaseStore;
}
