/** One worker process of a row, from its start to its end. */
import { type ChildProcess, fork } from "node:child_process";
import { systemClock } from "../../src/platform.ts";
import type { Conduct, ConsumerInput, FromConsumer, Resources, ToConsumer } from "./protocol.ts";

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly atMillis: number;
}

export class ConsumerProcess {
  readonly workerId: string;
  readonly pid: number;
  readonly failoverTimeMillis: number;
  /** Resolves when it is active in the fleet; rejects when it ends before that. */
  readonly joined: Promise<void>;
  /** Resolves when the process has ended, for whatever reason. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #samples = new Map<number, (resources: Resources) => void>();
  readonly #blocks = new Set<() => void>();
  #ending: Ending | undefined;
  #problems = "";

  /**
   * @param program the bundle
   * @param caller the name under which the gateway counts its calls
   */
  constructor(
    program: string,
    input: ConsumerInput,
    { caller, environment }: { caller: string; environment: Readonly<Record<string, string>> },
  ) {
    this.workerId = input.workerId;
    this.failoverTimeMillis = input.failoverTimeMillis;
    this.#child = fork(program, [JSON.stringify(input)], {
      execArgv: ["--expose-gc"],
      // A process group of its own: Ctrl-C is for the campaign, which ends its workers in order.
      detached: true,
      env: { ...environment, AWS_SDK_UA_APP_ID: caller },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    if (this.#child.pid === undefined) throw new Error(`${program} could not be started`);
    this.pid = this.#child.pid;
    this.#child.stderr?.on("data", (text: Buffer) => {
      this.#problems = (this.#problems + text).slice(-4_000);
    });
    this.ended = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        this.#ending = { code, signal, atMillis: systemClock.monotonicMillis() };
        resolve(this.#ending);
      });
    });
    const joined = new Promise<void>((resolve) => {
      this.#child.on("message", (message: FromConsumer) => {
        if (message.type === "joined") resolve();
        else if (message.type === "blocking") for (const tell of this.#blocks) tell();
        else this.#samples.get(message.id)?.(message.resources);
      });
    });
    const before = this.ended.then(({ code, signal }) => {
      throw new Error(
        `worker ${this.workerId} ended (${signal ?? `exit ${code}`}): ${this.problems || "no message"}`,
      );
    });
    this.joined = Promise.race([joined, before]);
    this.joined.catch(() => undefined); // a row may not await it
    // A channel that ends with its process is no error.
    this.#child.on("error", () => undefined);
  }

  get ending(): Ending | undefined {
    return this.#ending;
  }

  /** The end of its standard error. */
  get problems(): string {
    return this.#problems.trim();
  }

  signal(name: NodeJS.Signals): void {
    if (this.#ending === undefined) this.#child.kill(name);
  }

  conduct(conduct: Conduct): void {
    this.#send({ type: "conduct", conduct });
  }

  /** Resolves when the handler next begins to block the event loop. */
  blocking(): Promise<void> {
    return new Promise((resolve) => {
      const tell = () => {
        this.#blocks.delete(tell);
        resolve();
      };
      this.#blocks.add(tell);
    });
  }

  sample(): Promise<Resources> {
    const id = this.#samples.size;
    return new Promise((resolve) => {
      this.#samples.set(id, resolve);
      this.#send({ type: "sample", id });
    });
  }

  #send(message: ToConsumer): void {
    if (this.#child.connected) this.#child.send(message);
  }
}
