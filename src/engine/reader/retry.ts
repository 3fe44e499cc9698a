/** How often, how soon and how long a failing batch is retried. */
import type { Random } from "../../ports/random.ts";

export interface RetryOptions {
  /**
   * A record that has been in this many failed calls, the last time alone, is given up (`onError`). Alone, so
   * that good neighbours are not given up with it: with 1, a record of a larger batch gets a second try.
   * Default: none, because a downstream that is down recovers, but a record that was given up does not.
   */
  readonly maxAttempts?: number | undefined;
  /**
   * The pause after the first failed call; each further one doubles it. Milliseconds. Default: 200, which
   * bridges a hiccup.
   */
  readonly minDelayMillis?: number | undefined;
  /**
   * The longest pause. Milliseconds. Default: 30000: a downstream that is down gets about two calls a minute
   * per shard, and a shard continues at most half a minute after it has recovered.
   */
  readonly maxDelayMillis?: number | undefined;
  /**
   * A record that fails alone and arrived in the stream longer ago than this is given up (`onError`).
   * Milliseconds. Default: none.
   */
  readonly maxRecordAgeMillis?: number | undefined;
}

export interface Retry {
  readonly maxAttempts: number | undefined;
  readonly minDelayMillis: number;
  readonly maxDelayMillis: number;
  readonly maxRecordAgeMillis: number | undefined;
}

/** Every default filled in. */
export const retryOf = (options: RetryOptions = {}): Retry => ({
  maxAttempts: options.maxAttempts,
  minDelayMillis: options.minDelayMillis ?? 200,
  maxDelayMillis: options.maxDelayMillis ?? 30_000,
  maxRecordAgeMillis: options.maxRecordAgeMillis,
});

/** A random quarter spreads the retries of shards that failed together, and bounds the calls of each. */
const JITTER = 0.25;

/** @param failures in a row, from 1 */
export function retryDelayMillis(failures: number, retry: Retry, random: Random): number {
  const { minDelayMillis, maxDelayMillis } = retry;
  const delay = Math.min(maxDelayMillis, minDelayMillis * 2 ** Math.min(failures - 1, 30));
  return delay * (1 - JITTER * random.next());
}
