/** Waiting for the user's code, but not for ever. */
import type { Clock } from "../ports/clock.ts";

/**
 * How long a hook may hold up a hand-over: as long as in KCL (gracefulLeaseHandoffTimeoutMillis). The shard is not read
 * meanwhile.
 */
export const HOOK_LIMIT_MILLIS = 30_000;

/**
 * `shardEnded` holds up nothing but the shard's children, and may have much to flush: after this it counts as failed,
 * because its answer may have been lost, and is called again.
 */
export const SHARD_ENDED_LIMIT_MILLIS = 300_000;

/** What `promise` resolves to, or "still running" after `millis`. Rejects when it rejects in time. */
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
