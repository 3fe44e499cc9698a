/**
 * Consumers and a producer as processes of this machine: the containers' own bundles, started without ECS.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { inProject } from "../../lab/project.ts";
import { projectImages } from "../../local/containers/images.ts";
import { isolatedEnvironment } from "../../local/index.ts";
import {
  CONSUMER_ENVIRONMENT as CONSUMER,
  PRODUCER_ENVIRONMENT as PRODUCER,
} from "../../services/contract/environment.ts";

export interface FleetOptions {
  /** The name of the stream, the lease table and the application. */
  readonly name: string;
  /** Directs AWS SDKs to the endpoint. */
  readonly environment: Readonly<Record<string, string>>;
  /** For history files and logs; created if missing. */
  readonly folder: string;
  readonly failoverTimeMillis: number;
}

/** ECS on the embedded endpoint allows 5 s from SIGTERM to SIGKILL; the stack sets this budget. */
const STOP_BUDGET_MILLIS = 4_000;
/** A stop that takes longer has failed. */
const STOP_LIMIT_MILLIS = 15_000;

export class Task {
  readonly id: string;
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;

  constructor(id: string, child: ChildProcess) {
    this.id = id;
    this.child = child;
    this.ended = once(child, "exit");
    this.ended.catch(() => undefined);
  }

  get pid(): number {
    return this.child.pid!;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }

  /** SIGTERM; resolves when the process has ended. If that takes too long, it gets SIGKILL. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    const guard = setTimeout(() => this.kill(), STOP_LIMIT_MILLIS);
    this.child.kill("SIGTERM");
    await this.ended;
    clearTimeout(guard);
    if (this.child.exitCode !== 0)
      throw new Error(
        `${this.id} did not stop in order (${this.child.signalCode ?? this.child.exitCode}): see its log`,
      );
  }
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #tasks: Task[] = [];
  #started = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
  }

  /** In order of start: the smallest id leads. */
  get workers(): readonly Task[] {
    return this.#tasks.filter((task) => task.isRunning && task.id.startsWith("w"));
  }

  startWorker(): Task {
    this.#started += 1;
    const { name, failoverTimeMillis, folder } = this.#options;
    const id = `w${String(this.#started).padStart(2, "0")}`;
    return this.#start(id, "evenkeel/consumer", {
      AWS_SDK_UA_APP_ID: "consumer",
      [CONSUMER.applicationName]: name,
      [CONSUMER.streamName]: name,
      [CONSUMER.leaseTableName]: name,
      [CONSUMER.workerId]: id,
      [CONSUMER.maxLeasesLimit]: "10",
      [CONSUMER.failoverTimeMillis]: String(failoverTimeMillis),
      [CONSUMER.shardSyncIntervalMillis]: "5000",
      [CONSUMER.stopBudgetMillis]: String(STOP_BUDGET_MILLIS),
      [CONSUMER.historyDirectory]: folder,
    });
  }

  startProducer(ratePerSecond: number): Task {
    return this.#start("producer", "evenkeel/producer", {
      AWS_SDK_UA_APP_ID: "producer",
      [PRODUCER.streamName]: this.#options.name,
      [PRODUCER.rate]: String(ratePerSecond),
      [PRODUCER.keys]: "400",
      [PRODUCER.historyDirectory]: this.#options.folder,
    });
  }

  /** Kills the processes that are left. */
  async close(): Promise<void> {
    for (const task of this.#tasks) if (task.isRunning) task.kill();
    await Promise.all(this.#tasks.map((task) => task.ended));
  }

  #start(id: string, image: string, environment: Record<string, string>): Task {
    const { command, args } = projectImages(inProject(".evenkeel", "build"))[image]!;
    const log = openSync(join(this.#options.folder, `${id}.log`), "a");
    const child = spawn(command, args, {
      env: { ...isolatedEnvironment(process.env), ...this.#options.environment, ...environment },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    const task = new Task(id, child);
    this.#tasks.push(task);
    return task;
  }
}
