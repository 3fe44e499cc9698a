/** How long the resharder waits for what may pass: refused calls, and listings that lag behind a change. */
import type { Clock } from "../../src/ports/clock.ts";
import { backoffMillis, type Random } from "../../src/ports/random.ts";
import { IncompleteListing, type OpenShard } from "./plan-reshard.ts";
import { Refusal } from "./ports.ts";

export interface PatienceDeps {
  readonly clock: Clock;
  readonly random: Random;
  log(fields: object, message: string): void;
}

/** Refusals in a row before giving up: with full jitter up to 5 s each, about twenty seconds. */
export const MAX_REFUSALS = 12;
/** Kinesis's listing lags for a second or two. One that is incomplete for so long is not lagging: something is wrong. */
export const MAX_LISTING_LAG_MILLIS = 60_000;
/** Nothing is begun with less time than this: a call answers within seconds, and the next round goes on from there. */
export const MIN_TIME_MILLIS = 10_000;

/**
 * Repeats a call while it is refused and there is time. Throws the last refusal then: every action is safe to repeat,
 * so the state machine tries the whole action again.
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
 * Lists the open shards and gives `plan`'s answer to them; lists again while the listing is incomplete.
 *
 * @throws IncompleteListing after `MAX_LISTING_LAG_MILLIS`, or when the time of this round is over.
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
