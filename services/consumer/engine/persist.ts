/** Doing one thing until it is done: the table may be unavailable for a while, and the work must still happen once. */
import type { Clock } from "../../shared/clock.ts";
import { backoffMillis, type Random } from "../../shared/random.ts";
import { StoreUnavailable } from "../ports/lease-store.ts";
import type { Logger } from "../ports/logger.ts";
import { StreamError } from "../ports/stream.ts";

/**
 * Tries until it succeeds or `signal` aborts (then: undefined). Waits with full jitter between tries, at most 2 s.
 * Anything but an unavailable store or stream is a defect or a wrong set-up: it is logged as an error each time
 * and tried on, because giving up would leave a shard unread without a word.
 */
export async function persist<T>(
  what: string,
  act: () => Promise<T>,
  { clock, random, logger, signal }: { clock: Clock; random: Random; logger: Logger; signal: AbortSignal },
): Promise<T | undefined> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      return await act();
    } catch (error) {
      const passing = error instanceof StoreUnavailable || error instanceof StreamError;
      if (!passing) logger.error({ err: error, attempt }, `${what} failed; trying again`);
      else if (attempt >= 3) logger.warn({ err: error, attempt }, `${what} failed; trying again`);
      await clock.sleep(backoffMillis(attempt, random, 50, 2_000), signal);
    }
  }
  return undefined;
}
