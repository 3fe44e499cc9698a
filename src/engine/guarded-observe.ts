/**
 * `onEvent` is user code called from within the engine. What it throws is logged and changes nothing else.
 */
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";

const LOG_SPACING_MILLIS = 60_000;

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";

/**
 * Wraps `observe` so that it never throws, and so that a promise it returns never rejects unhandled. Logs at
 * most one line a minute.
 */
export function guardedObserve<Event>(
  observe: (event: Event) => unknown,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): (event: Event) => void {
  let failures = 0;
  let loggedMillis = Number.NEGATIVE_INFINITY;
  const failed = (error: unknown) => {
    failures += 1;
    const now = clock.monotonicMillis();
    if (now - loggedMillis < LOG_SPACING_MILLIS) return;
    loggedMillis = now;
    logger.error(
      { err: error, failures },
      "onEvent failed; the event is not told again, nothing else changes",
    );
    failures = 0;
  };
  return (event) => {
    try {
      const result = observe(event);
      // An async function also fits the type of a function without a result. It is not awaited.
      if (isThenable(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  };
}
