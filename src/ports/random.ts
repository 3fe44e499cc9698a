/** Randomness as a port, so that a run can be repeated from its seed. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

/**
 * Full-jitter backoff: uniform in [0, min(cap, base·2^attempt)). Source: AWS Architecture Blog, "Exponential
 * Backoff And Jitter".
 */
export function backoffMillis(attempt: number, random: Random, baseMillis = 50, capMillis = 5_000): number {
  return random.next() * Math.min(capMillis, baseMillis * 2 ** Math.min(attempt, 20));
}

/** A small seeded generator (mulberry32): good enough for schedules and tests, not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
}
