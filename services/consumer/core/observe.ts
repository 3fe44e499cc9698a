/**
 * Liveness without clocks of others: something is silent when its counter has not moved for `failoverTimeMillis`
 * of *my* monotonic clock (KCL: `DynamoDBLeaseTaker.updateAllLeases`). What I see for the first time counts as
 * having moved just now, so a newcomer must watch a full failover time before it may call anybody dead.
 */
export interface Observation {
  readonly token: string;
  readonly firstSeenMillis: number;
  readonly movedMillis: number;
}

export type Observations = ReadonlyMap<string, Observation>;

/** @param current key → a token that changes with every sign of life. Keys that are gone are forgotten. */
export function observe(before: Observations, current: Iterable<readonly [string, string]>, nowMillis: number): Observations {
  const next = new Map<string, Observation>();
  for (const [key, token] of current) {
    const known = before.get(key);
    if (known === undefined) next.set(key, { token, firstSeenMillis: nowMillis, movedMillis: nowMillis });
    else next.set(key, known.token === token ? known : { ...known, token, movedMillis: nowMillis });
  }
  return next;
}

export function silentKeys(observations: Observations, nowMillis: number, failoverTimeMillis: number): ReadonlySet<string> {
  const silent = new Set<string>();
  for (const [key, seen] of observations) if (nowMillis - seen.movedMillis > failoverTimeMillis) silent.add(key);
  return silent;
}
