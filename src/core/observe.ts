/**
 * Liveness without comparing clocks. A worker is expired when its token has not moved for more than a
 * failover time of *continuous observation* (KCL compares one reading with the last:
 * `DynamoDBLeaseTaker.updateAllLeases`).
 *
 * - The first observation counts as a move: a newcomer observes a full failover time before it may call a
 *   worker expired.
 * - Time without reads is not observed: between two observations at most `maxGapMillis` count.
 * - A worker that could not write its own heartbeat discards all its observations
 *   (`FleetCache.restartObservation`): what kept it from writing may keep the others from writing too.
 */
export interface Observation {
  readonly token: string;
  /** Observed time since the token last moved. */
  readonly unmovedMillis: number;
  /** Observed time since the first observation. */
  readonly observedMillis: number;
  readonly lastSeenMillis: number;
}

export type Observations = ReadonlyMap<string, Observation>;

/**
 * @param current key → a token that changes with every sign of life. Keys that are gone are discarded.
 * @param maxGapMillis the most that the time between two observations of a key counts as observed
 */
export function observe(
  before: Observations,
  current: Iterable<readonly [string, string]>,
  nowMillis: number,
  maxGapMillis: (key: string) => number,
): Observations {
  const next = new Map<string, Observation>();
  for (const [key, token] of current) {
    const known = before.get(key);
    const gapMillis = known === undefined ? 0 : Math.min(nowMillis - known.lastSeenMillis, maxGapMillis(key));
    next.set(key, {
      token,
      unmovedMillis: known?.token === token ? known.unmovedMillis + gapMillis : 0,
      observedMillis: (known?.observedMillis ?? 0) + gapMillis,
      lastSeenMillis: nowMillis,
    });
  }
  return next;
}

export const isExpired = (seen: Observation, failoverTimeMillis: number): boolean =>
  seen.unmovedMillis > failoverTimeMillis;

/** Observed for a full failover time, whether its token moves or not. */
export const isObservedInFull = (seen: Observation, failoverTimeMillis: number): boolean =>
  seen.observedMillis > failoverTimeMillis;
