/**
 * Logs what fails, at once and then rarely, and counts it.
 *
 * - A class that needs a person (`core/error-class.ts`) is logged as an error at its first failure.
 * - A class that may pass by itself is logged as a warning once it has lasted `WARN_AFTER_MILLIS`.
 * - While it lasts it is logged again every `REMINDER_MILLIS`, with the number of failures and of shards.
 * - When the source works again, that is logged once, if the failure was logged.
 * - Every failure is counted in the metric `Errors`, at the default level, with one series per source and
 *   class.
 *
 * Fifty shards that fail in the same way are one report: a source is a kind of call, not a shard.
 */

import { type ErrorClass, needsAPerson } from "../core/error-class.ts";
import type { Clock } from "../ports/clock.ts";
import { StoreError } from "../ports/lease-store.ts";
import type { Logger } from "../ports/logger.ts";
import type { Metrics } from "../ports/metrics.ts";
import { StreamError } from "../ports/stream.ts";

/** The kinds of calls that fail independently of each other. */
export type ErrorSource =
  | "lease table"
  | "stream listing"
  | "claiming"
  | "reading"
  | "handler"
  | "hook"
  | "checkpoint";

/** Class of a failed port call. Any other error is a defect of this program or of what the user gave it. */
export function errorClassIn(error: unknown): ErrorClass {
  if (error instanceof StoreError) return error.errorClass;
  if (error instanceof StreamError) {
    return error.problem === "expired-iterator" ? "unavailable" : error.problem;
  }
  return "defect";
}

/** The port whose call failed, where both are called. */
export const portOf = (error: unknown): ErrorSource =>
  error instanceof StreamError ? "stream listing" : "lease table";

const WARN_AFTER_MILLIS = 5_000;
const REMINDER_MILLIS = 300_000;

interface Failing {
  readonly sinceMillis: number;
  count: number;
  reportedMillis: number | undefined;
  /** What failed within the source, usually shards. */
  readonly subjects: Set<string>;
}

export interface LastError {
  readonly source: ErrorSource;
  readonly errorClass: ErrorClass;
  readonly message: string;
  /** Wall clock. */
  readonly atMillis: number;
}

export class ErrorReports {
  readonly #ports: { readonly clock: Clock; readonly logger: Logger; readonly metrics: Metrics };
  readonly #needsPerson: (error: Error) => void;
  readonly #failing = new Map<string, Failing>();
  #last: LastError | undefined;

  /** @param needsPerson called for each error line, to emit the event `error` */
  constructor(
    ports: { readonly clock: Clock; readonly logger: Logger; readonly metrics: Metrics },
    needsPerson: (error: Error) => void = () => undefined,
  ) {
    this.#ports = ports;
    this.#needsPerson = needsPerson;
  }

  /** The newest failure of any source; undefined before the first. */
  get last(): LastError | undefined {
    return this.#last;
  }

  /** Current failures that have been logged: for `status()` and `health()`. */
  get current(): readonly { source: ErrorSource; errorClass: ErrorClass; sinceMillis: number }[] {
    return [...this.#failing]
      .filter(([, { reportedMillis }]) => reportedMillis !== undefined)
      .map(([key, { sinceMillis }]) => {
        const [source, errorClass] = key.split("\n") as [ErrorSource, ErrorClass];
        return { source, errorClass, sinceMillis };
      });
  }

  /** @param subject what failed within the source: a shard id, or nothing */
  failed(source: ErrorSource, errorClass: ErrorClass, error: unknown, subject = ""): void {
    const { clock, logger, metrics } = this.#ports;
    const now = clock.monotonicMillis();
    const message = error instanceof Error ? error.message : String(error);
    this.#last = { source, errorClass, message, atMillis: clock.wallMillis() };
    metrics.record("Errors", 1, "Count", { Operation: source, ErrorClass: errorClass });
    metrics.record("Errors", 1, "Count", { Operation: "AllErrors" });
    // A separate series, because an alarm cannot sum these classes over all sources.
    if (needsAPerson(errorClass)) metrics.record("Errors", 1, "Count", { Operation: "ErrorsForAPerson" });
    const key = `${source}\n${errorClass}`;
    let failing = this.#failing.get(key);
    if (failing === undefined) {
      failing = { sinceMillis: now, count: 0, reportedMillis: undefined, subjects: new Set() };
      this.#failing.set(key, failing);
    }
    failing.count += 1;
    if (subject !== "") failing.subjects.add(subject);
    const isLoud = needsAPerson(errorClass);
    const { reportedMillis, sinceMillis } = failing;
    const isDue =
      reportedMillis === undefined
        ? isLoud || now - sinceMillis >= WARN_AFTER_MILLIS
        : now - reportedMillis >= REMINDER_MILLIS;
    if (!isDue) return;
    failing.reportedMillis = now;
    const fields = {
      errorClass,
      failures: failing.count,
      failingForMillis: Math.round(now - sinceMillis),
      ...(failing.subjects.size > 0 && {
        shards: [...failing.subjects].slice(0, 5),
        of: failing.subjects.size,
      }),
      err: error,
    };
    logger[isLoud ? "error" : "warn"](fields, `${source} fails (${errorClass}): trying again until it works`);
    if (isLoud) this.#needsPerson(error instanceof Error ? error : new Error(message));
  }

  /** `subject` is no longer this worker's: whether it would work again is not known. */
  forget(source: ErrorSource, subject: string): void {
    for (const [key, failing] of this.#failing) {
      if (!key.startsWith(`${source}\n`) || !failing.subjects.delete(subject)) continue;
      if (failing.subjects.size === 0) this.#failing.delete(key);
    }
  }

  /** The source works again, for `subject` (default: as a whole). */
  recovered(source: ErrorSource, subject = ""): void {
    for (const [key, failing] of this.#failing) {
      if (!key.startsWith(`${source}\n`)) continue;
      failing.subjects.delete(subject);
      if (subject !== "" && failing.subjects.size > 0) continue;
      this.#failing.delete(key);
      if (failing.reportedMillis === undefined) continue;
      const { clock, logger } = this.#ports;
      const fields = {
        errorClass: key.slice(source.length + 1),
        failures: failing.count,
        failedForMillis: Math.round(clock.monotonicMillis() - failing.sinceMillis),
      };
      logger.warn(fields, `${source} works again`);
    }
  }
}
