/** Retry limits of the resharder: for refused calls, and for listings that lag behind a change. */
import type { Clock } from "../../src/ports/clock.ts";
import { backoffMillis, type Random } from "../../src/ports/random.ts";
import { IncompleteListing, type OpenShard } from "./plan-reshard.ts";
import { Refusal } from "./ports.ts";

export interface PatienceDeps {
  readonly clock: Clock;
  readonly random: Random;
  log(fields: object, message: string): void;
}

/** Consecutive refusals before the call fails. With full jitter up to 5 s each: about twenty seconds. */
export const MAX_REFUSALS = 12;
/**
 * Kinesis's listing lags for a second or two. A listing still incomplete after this time is not lagging:
 * something is wrong.
 */
export const MAX_LISTING_LAG_MILLIS = 60_000;
/**
 * No call starts with less time left than this. A call answers within seconds, and the next round continues
 * from there.
 */
export const MIN_TIME_MILLIS = 10_000;

/**
 * Repeats a call while it is refused and there is time, then throws the last refusal. Every action is safe to
 * repeat, so the state machine retries the whole action.
 */
export async function retried<T>(
  call: () => Promise<T>,
  { clock, random, log }: PatienceDeps,
  remainingMillis: () => number,
): Promise<T> {
  for (let refusals = 1; ; refusals++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof Refusal) || refusals > MAX_REFUSALS) throw error;
      const pauseMillis = backoffMillis(refusals, random);
      if (remainingMillis() < MIN_TIME_MILLIS + pauseMillis) throw error;
      log({ problem: error.problem, refusals, error: error.message }, "a read was refused, trying again");
      await clock.sleep(pauseMillis);
    }
  }
}

/**
 * Lists the open shards and returns `plan`'s result for them. Lists again while the listing is incomplete.
 *
 * @throws IncompleteListing after `MAX_LISTING_LAG_MILLIS`, or when this round has too little time left.
 */
export async function plannedFromListing<T, S extends OpenShard>(
  list: () => Promise<readonly S[]>,
  plan: (open: readonly S[]) => T,
  deps: PatienceDeps,
  remainingMillis: () => number,
): Promise<T> {
  const { clock, random, log } = deps;
  const since = clock.monotonicMillis();
  for (let attempt = 1; ; attempt++) {
    const open = await retried(list, deps, remainingMillis);
    try {
      return plan(open);
    } catch (error) {
      if (!(error instanceof IncompleteListing)) throw error;
      const pauseMillis = backoffMillis(attempt, random);
      const waitedMillis = clock.monotonicMillis() - since;
      if (waitedMillis > MAX_LISTING_LAG_MILLIS || remainingMillis() < MIN_TIME_MILLIS + pauseMillis)
        throw error;
      log({ attempt, listedShards: open.length }, "the listing is incomplete, listing again");
      await clock.sleep(pauseMillis);
    }
  }
}
