/**
 * How often a worker looks at the fleet. Seldom while nothing changes, often while something does, slower as the
 * fleet grows; each number bounds a cost in DESIGN.md "Cost".
 */
export interface Pace {
  /** Between looks while nothing changes. */
  readonly idleMillis: number;
  /** Between looks while leases are moving. */
  readonly busyMillis: number;
  /** How long a change keeps the looks frequent: a slow handler's drain must not keep the whole fleet polling. */
  readonly busyForMillis: number;
  /** Between two heartbeats: a third of the failover time, so that two may fail (KCL's ratio). */
  readonly beatMillis: number;
  /** A table scan is put off by a random part of this, so that a change does not make every worker read the table at once. */
  readonly scanSpreadMillis: number;
}

export function paceOf(
  fleet: { readonly workers: number; readonly leases: number },
  failoverTimeMillis: number,
): Pace {
  return {
    // 75 looks a minute, of which 18 are heartbeats at the default failover time: under 60 reads a minute a worker.
    // From 67 workers on it grows with the fleet: 1,000 workers look every 12 s.
    idleMillis: Math.max(800, fleet.workers * 12),
    busyMillis: Math.max(100, fleet.workers * 5),
    busyForMillis: 3_000,
    beatMillis: failoverTimeMillis / 3,
    // The fleet together scans at most 20,000 rows a second; nobody waits longer than half a minute.
    scanSpreadMillis:
      fleet.workers * fleet.leases < 5_000 ? 0 : Math.min(30_000, (fleet.workers * fleet.leases) / 20),
  };
}
