/**
 * Retries one action until it succeeds: the table may be unavailable for a while, and the work must still be
 * done.
 */
import type { Clock } from "../ports/clock.ts";
import { backoffMillis, type Random } from "../ports/random.ts";
import { type ErrorReports, type ErrorSource, errorClassIn } from "./error-reports.ts";

export interface RetryDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly reports: ErrorReports;
  readonly source: ErrorSource;
  /** What the action is for: a shard id. */
  readonly subject: string;
  readonly signal: AbortSignal;
}

/**
 * Tries until `act` succeeds, or until `signal` aborts (then: undefined). Waits with full jitter between
 * tries, at most 2 s. It never stops by itself, whatever the error: that would leave a shard unread. Failures
 * are reported by class.
 */
export async function retryUntilAborted<T>(act: () => Promise<T>, parts: RetryDeps): Promise<T | undefined> {
  const { clock, random, reports, source, subject, signal } = parts;
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      const result = await act();
      if (attempt > 0) reports.recovered(source, subject);
      return result;
    } catch (error) {
      reports.failed(source, errorClassIn(error), error, subject);
      await clock.sleep(backoffMillis(attempt, random, 50, 2_000), signal);
    }
  }
  reports.forget(source, subject);
  return undefined;
}
