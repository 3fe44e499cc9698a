/** Waits for user code, up to a limit. */
import type { Clock } from "../ports/clock.ts";

/**
 * How long a hook may delay a hand-over: the same as in KCL (gracefulLeaseHandoffTimeoutMillis). The shard is
 * not read meanwhile.
 */
export const HOOK_LIMIT_MILLIS = 30_000;

/**
 * `shardEnded` delays only the shard's children, and may have much to flush. After this time it counts as
 * failed, because its result may have been lost, and is called again.
 */
export const SHARD_ENDED_LIMIT_MILLIS = 300_000;

/**
 * @returns what `promise` resolves to, or "still running" after `millis`; rejects if `promise` rejects in
 *   time
 */
export async function settledWithin<T>(
  clock: Clock,
  promise: Promise<T>,
  millis: number,
): Promise<T | "still running"> {
  const timer = new AbortController();
  const timeout = clock.sleep(millis, timer.signal).then((): "still running" => "still running");
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    timer.abort();
  }
}
