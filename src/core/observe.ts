/**
 * Liveness without the clocks of others: a worker is expired when its token stands still for more than a failover time
 * of *continuous observation* (KCL compares one reading with the last: `DynamoDBLeaseTaker.updateAllLeases`).
 *
 * - The first sighting counts as a move: a newcomer observes a full failover time before it may call anything expired.
 * - What is not read is not observed: between two sightings at most `maxGapMillis` count.
 * - An observer that could not write its own heartbeat forgets all it has observed (`FleetCache.restartObservation`):
 *   what kept it from writing may keep the others from writing too.
 */
export interface Observation {
  readonly token: string;
  /** Observed time since the token last moved. */
  readonly unmovedMillis: number;
  /** Observed time since the first sighting. */
  readonly observedMillis: number;
  readonly lastSeenMillis: number;
}

export type Observations = ReadonlyMap<string, Observation>;

/**
 * @param current key → a token that changes with every sign of life. Keys that are gone are forgotten.
 * @param maxGapMillis the most that the time between two sightings of a key counts as observed
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

/** Observed for a full failover time, moving or not. */
export const isObservedInFull = (seen: Observation, failoverTimeMillis: number): boolean =>
  seen.observedMillis > failoverTimeMillis;
