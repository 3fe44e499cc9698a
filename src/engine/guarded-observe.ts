/** `onEvent` is the user's code in the middle of ours: what it throws is logged, and changes nothing else. */
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";

const LOG_SPACING_MILLIS = 60_000;

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";

/** The same function, but it never throws, and no promise of its rejects unseen. One line a minute at most. */
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
      // An async function is accepted where one without a result is expected, and never waited for.
      if (isThenable(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  };
}
