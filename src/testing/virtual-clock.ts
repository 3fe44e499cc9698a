/** Time that moves only when a test advances it. Every promise chain settles before the next timer fires. */
import type { Clock } from "../ports/clock.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly wake: () => void;
}

export const WALL_START = Date.UTC(2026, 0, 1);

export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  #timers: Timer[] = [];

  monotonicMillis(): number {
    return 50_000 + this.#now;
  }

  wallMillis(): number {
    return WALL_START + this.#now;
  }

  /** Milliseconds since the start of the test. */
  get now(): number {
    return this.#now;
  }

  sleep(millis: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer: Timer = {
        at: this.#now + Math.max(0, millis),
        order: this.#order++,
        wake: () => {
          signal?.removeEventListener("abort", abort);
          resolve();
        },
      };
      const abort = () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
        resolve();
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#timers.push(timer);
    });
  }

  /** Lets everything that is due now happen. */
  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  async advance(millis: number): Promise<void> {
    const end = this.#now + millis;
    await this.settle();
    for (;;) {
      const due = this.#timers.filter((timer) => timer.at <= end);
      const next = due.sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await this.settle();
    }
    this.#now = end;
  }

  /**
   * Advances until `condition` holds, at most `limitMillis`. Throws, and so fails the test, if it never does.
   */
  async until(condition: () => boolean, limitMillis = 600_000, stepMillis = 10): Promise<void> {
    const end = this.#now + limitMillis;
    await this.settle();
    while (!condition()) {
      if (this.#now >= end) throw new Error(`not reached within ${limitMillis} virtual ms`);
      await this.advance(stepMillis);
    }
  }
}
