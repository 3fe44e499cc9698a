/** Nearest-rank percentile of unsorted numbers. Undefined for an empty list. */
export function percentile(values: readonly number[], fraction: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)];
}

const EXACT_UP_TO_MILLIS = 120_000;

/**
 * A histogram of millions of durations in fixed memory. Exact to the millisecond up to two minutes; above
 * that only the maximum is exact.
 */
export class MillisHistogram {
  readonly #counts = new Uint32Array(EXACT_UP_TO_MILLIS + 1);
  count = 0;
  max = 0;

  add(millis: number): void {
    const whole = Math.max(0, Math.round(millis));
    const slot = Math.min(EXACT_UP_TO_MILLIS, whole);
    this.#counts[slot] = (this.#counts[slot] as number) + 1;
    this.count += 1;
    this.max = Math.max(this.max, whole);
  }

  /** Nearest rank. Undefined if nothing was added. */
  percentile(fraction: number): number | undefined {
    if (this.count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(fraction * this.count));
    let below = 0;
    for (let millis = 0; millis < EXACT_UP_TO_MILLIS; millis++) {
      below += this.#counts[millis] as number;
      if (below >= rank) return millis;
    }
    return this.max;
  }
}
