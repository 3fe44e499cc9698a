/** What an engine under simulation is given, and what the simulator asks of it. */
import type { ConsumerRecord } from "../../src/core/record.ts";
import type { EngineOptions as RealOptions } from "../../src/engine/engine-context.ts";
import type {
  ProcessRecords,
  ShardEnded,
  ShutdownRequested,
} from "../../src/engine/reader/reader-options.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { LeaseStore } from "../../src/ports/lease-store.ts";
import type { Random } from "../../src/ports/random.ts";
import type { Stream } from "../../src/ports/stream.ts";
import type { Decide } from "./faults/unequal.ts";
import type { Swarm } from "./swarm.ts";
import type { Cost } from "./world/memory-lease-store.ts";
import type { NetworkConditions } from "./world/network.ts";
import type { SimProcess } from "./world/sim-clock.ts";

export interface EnginePorts {
  readonly store: LeaseStore;
  readonly stream: Stream;
  readonly clock: Clock;
  readonly random: Random;
}

/** The user's code. */
export interface EngineHandler {
  readonly processRecords: ProcessRecords;
  readonly deadLetter: (record: ConsumerRecord) => void;
  readonly shutdownRequested?: ShutdownRequested;
  readonly shardEnded?: ShardEnded;
  readonly halted?: (shardId: string) => void;
}

export interface EngineOptions {
  readonly workerId: string;
  /** Includes this worker's own options. */
  readonly swarm: Swarm;
  /** Replaces the planner: with another version of it, or a broken one. */
  readonly planner?: (decide: Decide) => Decide;
  readonly maxLeases: ((fleet: { shards: number; workers: number }) => number) | undefined;
  readonly handler: EngineHandler;
  readonly log: (level: string, message: string, fields: object) => void;
  /** Options that replace those of the swarm, for an engine that is broken on purpose. */
  readonly overrides?: Partial<RealOptions> | undefined;
}

export interface Engine {
  start(): Promise<void>;
  /** Resolves with what is wrong at the end (stop budget spent), or undefined. */
  stop(): Promise<string | undefined>;
}

export type StartEngine = (ports: EnginePorts, options: EngineOptions) => Engine;

export type WorkerState = "starting" | "joined" | "stopping" | "stopped" | "gone";

export interface SimWorker {
  readonly id: string;
  readonly process: SimProcess;
  readonly engine: Engine;
  readonly network: { readonly store: NetworkConditions; readonly stream: NetworkConditions };
  readonly cost: Cost;
  readonly streamCalls: Map<string, number>;
  state: WorkerState;
}
