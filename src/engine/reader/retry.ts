/** How often, how soon and how long a batch that fails is tried again. */
import type { Random } from "../../ports/random.ts";

export interface RetryOptions {
  /**
   * A record that has been in so many failed calls, the last time alone, is given up (`onError`). Alone, so that it does
   * not take good neighbours with it: with 1, a record of a larger batch gets a second try.
   * Default: none, because a downstream that is down comes back, and a record that was given up does not.
   */
  readonly maxAttempts?: number | undefined;
  /** The pause after the first failed call; each further one doubles it. Milliseconds. Default: 200, which bridges a hiccup. */
  readonly minDelayMillis?: number | undefined;
  /**
   * The longest pause. Milliseconds. Default: 30000: a downstream that is down gets about two calls a minute of a
   * shard, and a shard goes on at most half a minute after it is up again.
   */
  readonly maxDelayMillis?: number | undefined;
  /** A record that fails alone and arrived in the stream longer ago is given up (`onError`). Milliseconds. Default: none. */
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

/** A quarter at random keeps shards apart that failed together, and bounds the calls of each. */
const JITTER = 0.25;

/** @param failures in a row, from 1 */
export function retryDelayMillis(failures: number, retry: Retry, random: Random): number {
  const { minDelayMillis, maxDelayMillis } = retry;
  const delay = Math.min(maxDelayMillis, minDelayMillis * 2 ** Math.min(failures - 1, 30));
  return delay * (1 - JITTER * random.next());
}
