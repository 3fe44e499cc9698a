/**
 * A simulated process and its clock. Everything that reaches a worker (timers, answers) goes through its
 * process. A paused process holds all of it until it is resumed; a process that is gone never receives it.
 */
import type { Clock } from "../../../src/ports/clock.ts";
import type { Scheduled, Scheduler } from "./scheduler.ts";

export interface ClockError {
  /** Seconds that this clock counts per true second: 1.01 is one per cent fast. */
  readonly rate: number;
  /** The error of the wall clock. Steps (NTP, an operator) change it while the process runs. */
  wallOffsetMillis: number;
}

/** The time of an exact wall clock at virtual time 0. */
export const EPOCH_MILLIS = Date.UTC(2026, 0, 1);

/** Far less than any wait, and more than the smallest difference of two numbers of this size. */
const READING_MILLIS = 1e-7;

export class SimProcess {
  readonly name: string;
  state: "running" | "paused" | "gone" = "running";
  readonly clock: Clock;
  readonly clockError: ClockError;
  readonly #scheduler: Scheduler;
  #held: { label: string; run: () => void }[] = [];
  #blockedUntil = 0;
  #readings = 0;

  constructor(name: string, scheduler: Scheduler, clockError: ClockError = { rate: 1, wallOffsetMillis: 0 }) {
    this.name = name;
    this.#scheduler = scheduler;
    this.clockError = clockError;
    const origin = scheduler.now;
    this.clock = {
      wallMillis: () =>
        EPOCH_MILLIS + origin + (this.#now - origin) * clockError.rate + clockError.wallOffsetMillis,
      // Like a real clock: each reading is later than the one before it.
      monotonicMillis: () => {
        this.#readings += 1;
        return 1_000_000 + (this.#now - origin) * clockError.rate + this.#readings * READING_MILLIS;
      },
      sleep: (millis, signal) => this.#sleep(millis, signal),
    };
  }

  /** Runs `run` inside this process at `time`, or when it is resumed, or never when it is gone. */
  deliver(time: number, label: string, run: () => void): Scheduled {
    const text = `${this.name}:${label}`;
    const scheduled = this.#scheduler.at(time, text, () => {
      if (this.state === "running") run();
      else if (this.state === "paused") {
        this.#held.push({
          label: text,
          run: () => {
            if (!scheduled.cancelled) run();
          },
        });
      }
    });
    return scheduled;
  }

  pause(): void {
    if (this.state === "running") this.state = "paused";
  }

  resume(): void {
    if (this.state !== "paused" || this.#scheduler.now < this.#blockedUntil) return;
    this.state = "running";
    const held = this.#held;
    this.#held = [];
    // In the order of arrival, each with its promise chains settled before the next.
    for (const [index, { label, run }] of held.entries()) {
      this.deliver(this.#scheduler.now + (index + 1) * 1e-6, `held ${label}`, run);
    }
  }

  get blockedUntil(): number {
    return this.#blockedUntil;
  }

  /** What runs in the same instant as a block runs after it. */
  get #now(): number {
    return Math.max(this.#scheduler.now, this.#blockedUntil);
  }

  /**
   * Blocks the event loop for this long. A block in progress comes first, and so does what follows it at
   * once. Resolves when the loop is free again.
   * @param begun called when the block begins
   */
  async block(millis: number, begun: (until: number) => void): Promise<void> {
    while (this.#blockedUntil > this.#scheduler.now)
      await new Promise<void>((resolve) => this.deliver(this.#blockedUntil + 1e-6, "its turn", resolve));
    const until = this.#scheduler.now + millis;
    this.#blockedUntil = until;
    if (this.state === "running") this.state = "paused";
    begun(until);
    this.#scheduler.at(until, `${this.name}:unblock`, () => this.resume());
    await new Promise<void>((resolve) => this.deliver(until + 1e-7, "unblocked", resolve));
  }

  /** SIGKILL: no clean-up, nothing is ever delivered again. */
  kill(): void {
    this.state = "gone";
    this.#held = [];
  }

  #sleep(millis: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const scheduled = this.deliver(this.#now + Math.max(0, millis) / this.clockError.rate, "timer", wake);
      const onAbort = () => {
        scheduled.cancelled = true;
        resolve();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}
