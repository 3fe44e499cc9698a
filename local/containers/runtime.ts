import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Clock } from "../../src/ports/clock.ts";
import { isolatedEnvironment } from "../tool-environment.ts";
import { signalGroup, type Watchdog } from "../watchdog.ts";
import { type ContainerRequest, requireKnownVariables } from "./create-request.ts";
import { findImage, type ImageTable } from "./images.ts";
import { LogBuffer } from "./log-buffer.ts";

export const SIGNALS = ["SIGKILL", "SIGSTOP", "SIGCONT", "SIGTERM"] as const;
export type ProcessSignal = (typeof SIGNALS)[number];
export const isSignal = (value: unknown): value is ProcessSignal =>
  SIGNALS.some((signal) => signal === value);

/** A running process that replaces a container of an ECS task. */
export interface ContainerProcess {
  id: string;
  name: string;
  image: string;
  pid: number;
  /** Epoch milliseconds. */
  startedAt: number;
  taskArn?: string;
}

export type ContainerState =
  | { status: "created" }
  | { status: "running"; pid: number; startedAt: number }
  | { status: "exited"; exitCode: number; startedAt: number; finishedAt: number };

export interface Container {
  id: string;
  name: string;
  image: string;
  labels: Record<string, string>;
  environment: Record<string, string>;
  createdAt: number;
  state: ContainerState;
  logs: LogBuffer;
}

const MAX_CONTAINERS = 500;
const APP_ID = "AWS_SDK_UA_APP_ID";

/**
 * Containers as child processes, each in its own process group. As with a Docker Engine, a container can be
 * found by id or name until it is removed, even after its process has ended.
 */
export class ContainerRuntime {
  readonly #containers = new Map<string, Container>();
  readonly #children = new Map<string, ChildProcess>();
  readonly #stopping = new Map<string, Promise<void>>();
  readonly #listeners = new Set<() => void>();
  readonly #images: ImageTable;
  readonly #watchdog: Watchdog;
  readonly #clock: Clock;
  readonly #workingDirectory: string;
  #isClosing = false;

  constructor(options: { images: ImageTable; watchdog: Watchdog; clock: Clock; workingDirectory: string }) {
    this.#images = options.images;
    this.#watchdog = options.watchdog;
    this.#clock = options.clock;
    this.#workingDirectory = options.workingDirectory;
  }

  /** The name in the image table that a reference resolves to. */
  imageName(reference: string): string | undefined {
    return findImage(this.#images, reference)?.name;
  }

  /**
   * Returns the container, or the reason for refusal as text. Throws `BadRequest` for variables that the
   * image does not read.
   */
  create(request: ContainerRequest): Container | string {
    if (this.#isClosing) return "the endpoint is stopping";
    const image = findImage(this.#images, request.image);
    if (!image) return `no such image: ${request.image}`;
    requireKnownVariables(image.name, image.run, request.environment);
    if (this.#containers.size >= MAX_CONTAINERS) return `there are ${MAX_CONTAINERS} containers already`;
    const id = randomBytes(32).toString("hex");
    const created: Container = {
      ...request,
      id,
      createdAt: this.#clock.wallMillis(),
      state: { status: "created" },
      logs: new LogBuffer(),
    };
    this.#containers.set(id, created);
    return created;
  }

  find(idOrName: string): Container | undefined {
    const byId = this.#containers.get(idOrName);
    if (byId) return byId;
    for (const container of this.#containers.values())
      if (container.name === idOrName || (idOrName.length >= 12 && container.id.startsWith(idOrName)))
        return container;
    return undefined;
  }

  list(): Container[] {
    return [...this.#containers.values()];
  }

  /** Starts the container's process. Returns the reason for failure as text, otherwise undefined. */
  async start(container: Container): Promise<string | undefined> {
    if (this.#isClosing) return "the endpoint is stopping";
    const image = findImage(this.#images, container.image);
    if (!image) return `no such image: ${container.image}`;
    const child = spawn(image.run.command, image.run.args, {
      cwd: this.#workingDirectory,
      env: this.#environmentOf(container),
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const problem = await once(child, "spawn").then(
      () => undefined,
      (error: Error) => `cannot start ${image.run.command}: ${error.message}`,
    );
    const { pid } = child;
    if (problem !== undefined || pid === undefined) return problem ?? "the process has no id";
    this.#watchdog.add(pid);
    container.logs.follow(child.stdout!, child.stderr!);
    this.#children.set(container.id, child);
    const startedAt = this.#clock.wallMillis();
    container.state = { status: "running", pid, startedAt };
    child.once("exit", (code, signal) => {
      this.#children.delete(container.id);
      // The process's children end with it, as they end with a container's first process.
      signalGroup(pid, "SIGKILL");
      this.#watchdog.remove(pid);
      // Like a container's exit code: 128 + the signal's number. Of the signals sent here, only 9 and 15 end
      // a process.
      const exitCode = code ?? 128 + (signal === "SIGKILL" ? 9 : 15);
      container.state = { status: "exited", exitCode, startedAt, finishedAt: this.#clock.wallMillis() };
      this.#changed();
    });
    this.#changed();
    return undefined;
  }

  /**
   * Sends SIGTERM, and SIGKILL if the process has not ended after `graceMillis`. Resolves when it has ended.
   * A second call waits for the stop in progress.
   */
  stop(container: Container, graceMillis: number): Promise<void> {
    const child = this.#children.get(container.id);
    if (!child) return Promise.resolve();
    let stop = this.#stopping.get(container.id);
    if (!stop) {
      stop = this.#end(child, graceMillis).finally(() => this.#stopping.delete(container.id));
      this.#stopping.set(container.id, stop);
    }
    return stop;
  }

  async #end(child: ChildProcess, graceMillis: number): Promise<void> {
    // "close" comes after "exit", once the last output has been read.
    const ended = once(child, "close");
    this.#kill(child, "SIGTERM");
    const grace = new AbortController();
    const winner = await Promise.race([
      ended.then(() => "ended"),
      this.#clock.sleep(graceMillis, grace.signal),
    ]);
    grace.abort();
    if (winner !== "ended") this.#kill(child, "SIGKILL");
    await ended;
  }

  /** Sends a signal to the container's process group. Returns false if it has no running process. */
  signal(idOrName: string, signal: ProcessSignal): boolean {
    const container = this.find(idOrName);
    const child = container && this.#children.get(container.id);
    if (!child) return false;
    this.#kill(child, signal);
    return true;
  }

  /**
   * Removes the container. If a stop is in progress, removal waits for it; otherwise a running process is
   * killed.
   */
  remove(container: Container): void {
    const stop = this.#stopping.get(container.id);
    if (stop) {
      void stop.then(() => this.remove(container));
      return;
    }
    const child = this.#children.get(container.id);
    if (child) this.#kill(child, "SIGKILL");
    // The log of a started container ends with its process, once all output has been read.
    if (container.state.status === "created") container.logs.end();
    this.#containers.delete(container.id);
    this.#changed();
  }

  processes(): ContainerProcess[] {
    return this.list().flatMap(({ id, name, image, labels, state }) => {
      if (state.status !== "running") return [];
      const taskArn = labels["com.amazonaws.ecs.task-arn"];
      const base = {
        id: id.slice(0, 12),
        name,
        image: this.imageName(image) ?? image,
        pid: state.pid,
        startedAt: state.startedAt,
      };
      return [taskArn === undefined ? base : { ...base, taskArn }];
    });
  }

  /** Resolves at the next start, end or removal of any container, or after `atMostMillis`. */
  async untilChange(atMostMillis: number, signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const wake = () => done.abort();
    this.#listeners.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    await this.#clock.sleep(atMostMillis, done.signal);
    this.#listeners.delete(wake);
    signal.removeEventListener("abort", wake);
  }

  /** Refuses further starts, and stops all running containers at once. */
  async close(graceMillis: number): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.list().map((container) => this.stop(container, graceMillis)));
  }

  #changed(): void {
    for (const wake of this.#listeners) wake();
  }

  #kill(child: ChildProcess, signal: ProcessSignal): void {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      signalGroup(child.pid, signal);
  }

  /**
   * The environment of a Fargate task. From this machine's environment it contains only what a program needs
   * to start.
   */
  #environmentOf({ environment, labels, name }: Container): NodeJS.ProcessEnv {
    const region = environment.AWS_REGION ?? "us-east-1";
    return {
      ...isolatedEnvironment(process.env),
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      [APP_ID]: labels["com.amazonaws.ecs.container-name"] ?? name,
      ...environment,
    };
  }
}
