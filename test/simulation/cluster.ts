/**
 * The simulated fleet: one table, one stream, and workers that join, freeze, are partitioned and stop.
 * Performs what the schedule says. Knows nothing of the engine's inside.
 */

import type { Clock } from "../../src/ports/clock.ts";
import type {
  Engine,
  EngineHandler,
  EngineOptions,
  EnginePorts,
  SimWorker,
  StartEngine,
} from "./engine-ports.ts";
import { type Decide, otherPlanner, plansOtherwise, swarmOf } from "./faults/unequal.ts";
import { PoisonRecords, SimHandler } from "./handler.ts";
import { JavaWorker } from "./java-worker.ts";
import type { Mutation } from "./mutation.ts";
import { prepare } from "./prepare.ts";
import { type SimulatedPorts, simulatedPorts } from "./simulated-ports.ts";
import type { Action, CapRule, Swarm } from "./swarm.ts";
import { History } from "./world/history.ts";
import { LeaseTable } from "./world/lease-table.ts";
import { streamRules } from "./world/memory-stream.ts";
import { type NetworkConditions, NO_FAULTS } from "./world/network.ts";
import { Outages } from "./world/outages.ts";
import { Prng } from "./world/prng.ts";
import { Scheduler } from "./world/scheduler.ts";
import type { SimProcess } from "./world/sim-clock.ts";
import { StreamData } from "./world/stream-data.ts";

export type { Engine, EngineHandler, EngineOptions, EnginePorts, SimWorker, StartEngine };

const goodNetwork = (): NetworkConditions => ({ rates: { ...NO_FAULTS }, partitioned: false });

export function capOf(rule: CapRule, shards: number, workers: number): number | undefined {
  if (rule.kind === "none") return undefined;
  return rule.kind === "number" ? rule.limit : Math.min(rule.limit, Math.ceil(shards / workers));
}

export class Cluster {
  readonly swarm: Swarm;
  readonly scheduler: Scheduler;
  readonly history: History;
  readonly table: LeaseTable;
  readonly stream: StreamData;
  readonly outages: Outages;
  readonly workers: SimWorker[] = [];
  /** Errors that the engine let escape: promises that rejected and must not. */
  readonly escaped: string[] = [];
  /** Set by a verbose replay. */
  log: (line: string) => void = () => undefined;
  faultsOn = true;
  /** Processes that their scheduler has yet to start again. */
  restartsDue = 0;
  readonly #prng: Prng;
  readonly #rules;
  readonly #startEngine: StartEngine;
  readonly #mutation: Mutation | undefined;
  readonly #counters = new Map<string, number>();
  readonly #keyHashes: { readonly key: string; readonly hash: bigint }[];
  readonly #poisonRecords: PoisonRecords;
  #startedWorkers = 0;

  constructor(swarm: Swarm, startEngine: StartEngine, mutation?: Mutation) {
    this.swarm = swarm;
    this.#startEngine = startEngine;
    this.#mutation = mutation;
    this.#prng = new Prng(swarm.seed).fork("cluster");
    this.scheduler = new Scheduler(new Prng(swarm.seed));
    this.history = new History(this.scheduler);
    const record = this.history.add.bind(this.history);
    const now = () => this.scheduler.now;
    this.table = new LeaseTable(record, now);
    this.stream = new StreamData(swarm.shards, record, now);
    this.outages = new Outages(this.scheduler, this.#prng.fork("outages"));
    this.#rules = streamRules(swarm);
    this.#poisonRecords = new PoisonRecords(swarm);
    const hashes = this.#prng.fork("keys");
    this.#keyHashes = Array.from({ length: swarm.keys }, (_, index) => ({
      key: `k${index}`,
      hash: randomHash(hashes),
    }));
    prepare(this.stream, this.table, swarm, this.#prng.fork("earlier"), (count) => this.putSome(count));
  }

  up(): SimWorker[] {
    return this.workers.filter((worker) => worker.state === "starting" || worker.state === "joined");
  }

  startWorker(id = `w${++this.#startedWorkers}`): SimWorker {
    return this.#start(id, id);
  }

  /** A second process under the id of a running worker. Its events have a name of their own. */
  startDuplicate({ id }: SimWorker): SimWorker {
    const name = `${id}~2`;
    for (const worker of [id, name])
      this.history.add({ type: "trouble", worker, kind: "duplicate-id", until: undefined, detail: name });
    return this.#start(id, name);
  }

  #start(id: string, name: string): SimWorker {
    const { swarm, history } = this;
    const prng = this.#prng.fork(`worker ${name} ${this.workers.length}`);
    const { process, network, store, stream, clock, cost, streamCalls } = this.#simulatedPorts(name, prng);
    history.add({
      type: "worker",
      worker: name,
      action: "started",
      detail: `clock ×${process.clockError.rate.toFixed(4)}`,
    });
    const told = this.#mutation?.told?.(swarm) ?? swarm;
    const engine = this.#startEngine(
      { store, stream, clock, random: prng.fork("engine") },
      {
        workerId: id,
        swarm: swarmOf(told, id),
        planner: this.#plannerOf(id, clock),
        maxLeases: this.#capFunction(prng.fork("cap noise")),
        handler: this.#handlerOf(name, process, prng),
        log: (level, message, fields) => this.#logged(name, level, message, fields),
        overrides: this.#mutation?.options,
      },
    );
    const worker: SimWorker = { id: name, process, engine, network, cost, streamCalls, state: "starting" };
    this.workers.push(worker);
    this.#watchStart(worker, id === name);
    return worker;
  }

  #plannerOf(id: string, clock: Clock): (decide: Decide) => Decide {
    const broken = this.#mutation?.decide;
    return (decide) => {
      const version = plansOtherwise(this.swarm, id) ? otherPlanner(decide) : decide;
      return broken ? broken(version, clock) : version;
    };
  }

  #logged(worker: string, level: string, message: string, fields: object): void {
    const isReport = (level === "warn" || level === "error") && !this.#mutation?.logsNothing;
    if (isReport) this.history.add({ type: "log", worker, level, message });
    this.log(`${worker} [${level}] ${message} ${JSON.stringify(fields)}`);
  }

  /** Runs until it is killed or the faults stop. */
  startJava(id: string, millis: number): void {
    const { history, scheduler } = this;
    const { failoverTimeMillis } = this.swarm;
    const prng = this.#prng.fork(id);
    const { process, store, stream, clock } = this.#simulatedPorts(id, prng);
    new JavaWorker({
      id,
      store,
      stream,
      clock,
      history,
      prng: prng.fork("steals"),
      failoverTimeMillis,
    }).start();
    scheduler.after(millis, `kill ${id}`, () => {
      process.kill();
      history.add({ type: "trouble", worker: id, kind: "crash", until: undefined, detail: "Java" });
    });
  }

  #simulatedPorts(id: string, prng: Prng): SimulatedPorts {
    const { swarm, scheduler, history, table, outages } = this;
    const faultsOn = () => this.faultsOn;
    const world = {
      swarm,
      scheduler,
      history,
      table,
      data: this.stream,
      rules: this.#rules,
      outages,
      faultsOn,
    };
    const log = (line: string) => this.log(line);
    return simulatedPorts({ ...world, mutation: this.#mutation, log }, id, prng);
  }

  /** SIGTERM. */
  stopWorker(worker: SimWorker): void {
    if (worker.state !== "joined" && worker.state !== "starting") return;
    worker.state = "stopping";
    this.history.add({ type: "worker", worker: worker.id, action: "stopping", detail: "" });
    worker.engine.stop().then(
      (left) => {
        if (worker.state === "gone") return;
        worker.state = "stopped";
        this.history.add({ type: "worker", worker: worker.id, action: "stopped", detail: left ?? "" });
      },
      (error: unknown) => {
        this.escaped.push(`${worker.id}: stop() rejected: ${String(error)}`);
      },
    );
  }

  /** SIGKILL. */
  crash(worker: SimWorker, why = "crash"): void {
    if (worker.state === "gone" || worker.state === "stopped") return;
    worker.process.kill();
    worker.state = "gone";
    this.history.add({ type: "trouble", worker: worker.id, kind: "crash", until: undefined, detail: why });
  }

  perform(action: Action, who: number): void {
    const { scheduler } = this;
    const worker = pickAt(this.up(), who);
    switch (action.kind) {
      case "join":
        this.startWorker();
        return;
      case "split":
        for (let index = 0; index < action.count; index++) {
          const shard = index === 0 ? pickAt(this.stream.openShards(), who) : this.stream.widestOpen();
          if (shard !== undefined) this.stream.split(shard.shard.shardId);
        }
        if (action.wake) this.table.requestShardSync();
        return;
      case "merge": {
        const shard = pickAt(this.stream.openShards(), who);
        if (shard !== undefined) this.stream.merge(shard.shard.shardId);
        return;
      }
    }
    if (worker === undefined) return;
    switch (action.kind) {
      case "stop":
        // The last worker never stops: another one must take its leases over.
        if (this.up().length > 1) this.stopWorker(worker);
        return;
      case "crash":
        this.crash(worker);
        if (action.restartAfterMillis !== undefined) {
          // Under the same id (a pod of a StatefulSet), or as a new worker.
          const id = this.#prng.chance(0.5) ? worker.id : undefined;
          this.#restart(id, action.restartAfterMillis);
        } else if (this.up().length === 0) this.startWorker();
        return;
      case "pause":
        worker.process.pause();
        this.#trouble(worker, "pause", action.millis, "");
        scheduler.after(action.millis, `resume ${worker.id}`, () => worker.process.resume());
        return;
      case "partition": {
        const hit = (["store", "stream"] as const).filter(
          (s) => action.service === s || action.service === "both",
        );
        for (const service of hit) worker.network[service].partitioned = true;
        this.#trouble(worker, "partition", action.millis, action.service);
        scheduler.after(action.millis, `heal ${worker.id}`, () => {
          for (const service of hit) worker.network[service].partitioned = false;
        });
        return;
      }
      case "burst":
        Object.assign(worker.network.store.rates, action.rates);
        this.#trouble(worker, "throttle", action.millis, "burst");
        scheduler.after(action.millis, `calm ${worker.id}`, () =>
          Object.assign(worker.network.store.rates, this.faultsOn ? this.swarm.rates : NO_FAULTS),
        );
        return;
      case "step-wall-clock":
        worker.process.clockError.wallOffsetMillis += action.millis;
        this.log(`${worker.id} wall clock stepped by ${action.millis} ms`);
        return;
    }
  }

  /** Ends all faults. */
  heal(): void {
    this.faultsOn = false;
    this.outages.clear();
    for (const { leaseKey } of this.table.leases()) this.table.repairByHand(leaseKey);
    if (this.swarm.remedy === "restart") this.#poisonRecords.repaired = true;
    for (const worker of this.workers) {
      Object.assign(worker.network.store, goodNetwork());
      Object.assign(worker.network.stream, goodNetwork());
      worker.process.resume();
    }
  }

  /** What an operator does about workers with halted shards: replaces each with a new one. */
  replace(ids: ReadonlySet<string>): void {
    for (const worker of this.up().filter(({ id }) => ids.has(id))) {
      this.stopWorker(worker);
      this.startWorker();
    }
  }

  putSome(count: number): void {
    for (let index = 0; index < count; index++) {
      const { key, hash } = this.#prng.pick(this.#keyHashes);
      const n = (this.#counters.get(key) ?? 0) + 1;
      this.#counters.set(key, n);
      this.stream.put(key, hash, n);
    }
  }

  /**
   * Puts a record into each open shard. A worker whose lease row was edited by hand notices the loss at its
   * next write of the row, and a shard without records causes no write.
   */
  putEverywhere(): void {
    for (const { shard } of this.stream.openShards()) {
      const key = `everywhere ${shard.shardId}`;
      const n = (this.#counters.get(key) ?? 0) + 1;
      this.#counters.set(key, n);
      this.stream.put(key, shard.hashRange.start, n);
    }
  }

  #capFunction(noise: Prng) {
    const { cap, faults } = this.swarm;
    if (cap.kind === "none") return undefined;
    const broken = this.#mutation?.cap;
    return ({ shards, workers }: { shards: number; workers: number }) => {
      if (broken && cap.kind === "formula") return broken(shards, workers, cap.limit);
      return capOf(cap, shards, workers)! + (faults.capNoise > 0 ? noise.integer(0, faults.capNoise) : 0);
    };
  }

  #handlerOf(worker: string, process: SimProcess, prng: Prng): EngineHandler {
    const { swarm, history } = this;
    const { clock } = process;
    const profilePrng = prng.fork("habits");
    const faultPrng = prng.fork("faults of the handler");
    const faultsOn = () => this.faultsOn;
    const random = { prng, profilePrng, faultPrng };
    const parts = {
      worker,
      swarm,
      process,
      clock,
      history,
      poisonRecords: this.#poisonRecords,
      ...random,
      faultsOn,
    };
    const { processRecords, deadLetter, shutdownRequested, shardEnded } = new SimHandler(parts);
    const halted = (shardId: string) => history.add({ type: "halted", worker, shardId });
    const broken = this.#mutation?.handler?.(processRecords) ?? processRecords;
    return { processRecords: broken, deadLetter, shutdownRequested, shardEnded, halted };
  }

  #watchStart(worker: SimWorker, restarts: boolean): void {
    worker.engine.start().then(
      () => {
        if (worker.state !== "starting") return;
        worker.state = "joined";
        this.history.add({ type: "worker", worker: worker.id, action: "joined", detail: "" });
      },
      (error: unknown) => {
        this.history.add({ type: "worker", worker: worker.id, action: "failed", detail: String(error) });
        if (worker.state !== "starting") return;
        this.crash(worker, `start() rejected: ${String(error)}`);
        if (restarts) this.#restart(worker.id, 1_000);
      },
    );
  }

  #restart(id: string | undefined, afterMillis: number): void {
    this.restartsDue += 1;
    this.scheduler.after(afterMillis, "restart", () => {
      this.restartsDue -= 1;
      this.startWorker(id);
    });
  }

  #trouble(
    worker: SimWorker,
    kind: "pause" | "partition" | "throttle",
    millis: number,
    detail: string,
  ): void {
    this.history.add({
      type: "trouble",
      worker: worker.id,
      kind,
      // Healing ends what would last longer.
      until: Math.min(this.scheduler.now + millis, Math.max(this.scheduler.now, this.swarm.safetyMillis)),
      detail,
    });
  }
}

function pickAt<T>(choices: readonly T[], who: number): T | undefined {
  return choices[Math.min(choices.length - 1, Math.floor(who * choices.length))];
}

function randomHash(prng: Prng): bigint {
  let hash = 0n;
  for (let part = 0; part < 4; part++) hash = (hash << 32n) | BigInt(Math.floor(prng.next() * 4_294_967_296));
  return hash;
}
