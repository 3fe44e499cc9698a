/** The time a stop may take. It ends at the earliest moment that any call of `stop` has set. */
import type { Clock } from "../ports/clock.ts";
import { deferred } from "./deferred.ts";

/**
 * Kept for releasing the leases of handlers that do not end: this part of the budget, at most
 * `MAX_RESERVE_MILLIS`.
 */
const RESERVE_PART = 0.2;
const MAX_RESERVE_MILLIS = 2_000;

export class StopBudget {
  readonly #clock: Clock;
  #endsMillis = Number.POSITIVE_INFINITY;
  #reserveMillis = 0;
  #shortened = deferred();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A later call may shorten the budget, never lengthen it. */
  limit(budgetMillis: number): void {
    const ends = this.#clock.monotonicMillis() + budgetMillis;
    if (ends >= this.#endsMillis) return;
    this.#endsMillis = ends;
    this.#reserveMillis = Math.min(MAX_RESERVE_MILLIS, RESERVE_PART * budgetMillis);
    this.#shortened.open();
    this.#shortened = deferred();
  }

  /** Whether `work` ends before only the reserve is left. */
  outlasts(work: Promise<unknown>): Promise<boolean> {
    return this.#race(work, () => this.#endsMillis - this.#reserveMillis);
  }

  /** Whether `work` ends within the whole budget. */
  outlastsInAll(work: Promise<unknown>): Promise<boolean> {
    return this.#race(work, () => this.#endsMillis);
  }

  async #race(work: Promise<unknown>, ends: () => number): Promise<boolean> {
    const over = new AbortController();
    let isDone = false;
    const done = work.then(
      () => {
        isDone = true;
      },
      () => {
        isDone = true;
      },
    );
    try {
      for (;;) {
        const leftMillis = ends() - this.#clock.monotonicMillis();
        if (isDone) return true;
        if (leftMillis <= 0) return false;
        await Promise.race([done, this.#shortened.promise, this.#clock.sleep(leftMillis, over.signal)]);
      }
    } finally {
      over.abort();
    }
  }
}
