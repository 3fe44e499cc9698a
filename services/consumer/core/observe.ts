/**
 * Liveness without clocks of others: something is silent when it was seen again, more than `failoverTimeMillis` of
 * *my* monotonic clock after its counter last moved, with the same counter (KCL: `DynamoDBLeaseTaker.updateAllLeases`).
 * What I see for the first time counts as having moved just now, so a newcomer must watch a full failover time
 * before it may call anybody dead; and what I cannot read I cannot call dead.
 */
export interface Observation {
  readonly token: string;
  readonly firstSeenMillis: number;
  readonly movedMillis: number;
  readonly lastSeenMillis: number;
}

export type Observations = ReadonlyMap<string, Observation>;

/** @param current key → a token that changes with every sign of life. Keys that are gone are forgotten. */
export function observe(
  before: Observations,
  current: Iterable<readonly [string, string]>,
  nowMillis: number,
): Observations {
  const next = new Map<string, Observation>();
  for (const [key, token] of current) {
    const known = before.get(key);
    next.set(key, {
      token,
      firstSeenMillis: known?.firstSeenMillis ?? nowMillis,
      movedMillis: known?.token === token ? known.movedMillis : nowMillis,
      lastSeenMillis: nowMillis,
    });
  }
  return next;
}

export const isSilent = (seen: Observation, failoverTimeMillis: number): boolean =>
  seen.lastSeenMillis - seen.movedMillis > failoverTimeMillis;

export const isWatched = (seen: Observation, failoverTimeMillis: number): boolean =>
  seen.lastSeenMillis - seen.firstSeenMillis > failoverTimeMillis;
