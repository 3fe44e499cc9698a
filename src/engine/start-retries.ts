/**
 * Which errors a start retries, and for how long. An error that may pass by itself is retried until the call
 * succeeds. An error that needs a person is retried for a while, because policies, new tables and new
 * credentials take a moment to take effect everywhere. Then the start fails, within 30 s, with the remedy in
 * the error.
 */

import { type ErrorClass, needsAPerson } from "../core/error-class.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import { backoffMillis, type Random } from "../ports/random.ts";
import { type ErrorReports, type ErrorSource, errorClassIn } from "./error-reports.ts";

const FAIL_AFTER_MILLIS: Readonly<Partial<Record<ErrorClass, number>>> = {
  invalid: 0,
  // Includes errors that the engine raises itself: a duplicate worker id, a replaced stream, a stop.
  defect: 0,
  "not-found": 8_000,
};
const USUAL_FAIL_AFTER_MILLIS = 20_000;
const PAUSE_BASE_MILLIS = 100;
const PAUSE_CAP_MILLIS = 2_000;
/** A call without a response for this long is logged, though its deadline is later. */
const WARNING_MILLIS = 15_000;

interface StartRetriesDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly reports: ErrorReports;
}

export class StartRetries {
  readonly #deps: StartRetriesDeps;
  readonly #signal: AbortSignal;
  /**
   * By source: since when its calls have failed with errors that need a person, without a success in between.
   */
  readonly #needsPersonSinceMillis = new Map<ErrorSource, number>();

  /** @param signal ends the wait, which then rejects with the signal's reason */
  constructor(deps: StartRetriesDeps, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  /** Tries until `act` succeeds. Rejects with the last error when the time for retries is over. */
  async until<T>(source: ErrorSource, act: () => Promise<T>): Promise<T> {
    const { clock, random, reports } = this.#deps;
    for (let attempt = 1; ; attempt++) {
      this.#signal.throwIfAborted();
      try {
        const result = await this.#warned(source, act());
        this.#needsPersonSinceMillis.delete(source);
        reports.recovered(source);
        return result;
      } catch (error) {
        if (this.hasEnded(source, error)) throw error;
        reports.failed(source, errorClassIn(error), error);
      }
      await clock.sleep(backoffMillis(attempt, random, PAUSE_BASE_MILLIS, PAUSE_CAP_MILLIS), this.#signal);
    }
  }

  async #warned<T>(source: ErrorSource, call: Promise<T>): Promise<T> {
    const { clock, logger } = this.#deps;
    const over = new AbortController();
    void clock.sleep(WARNING_MILLIS, over.signal).then(() => {
      if (!over.signal.aborted)
        logger.warn({ waitedMillis: WARNING_MILLIS }, `start() is still waiting for the ${source}`);
    });
    return call.finally(() => over.abort());
  }

  /** Whether the time for retries is over with this failure. */
  hasEnded(source: ErrorSource, error: unknown): boolean {
    const errorClass = errorClassIn(error);
    if (!needsAPerson(errorClass)) return false;
    const now = this.#deps.clock.monotonicMillis();
    const sinceMillis = this.#needsPersonSinceMillis.get(source) ?? now;
    this.#needsPersonSinceMillis.set(source, sinceMillis);
    return now - sinceMillis >= (FAIL_AFTER_MILLIS[errorClass] ?? USUAL_FAIL_AFTER_MILLIS);
  }
}
