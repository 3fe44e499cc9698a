/** When a record is due, and which key it gets. Pure. */
import type { Random } from "../../src/ports/random.ts";

/**
 * Overdue records beyond this are dropped. A stream that returns after an outage of a minute is not flooded.
 */
const MAX_DEBT_MILLIS = 1_000;

/** Spreads `rate` records per second over time, regardless of how often `due` is called. */
export class RateSchedule {
  readonly #rate: number;
  #pointMillis: number;
  #given = 0;

  constructor(rate: number, startMillis: number) {
    this.#rate = rate;
    this.#pointMillis = startMillis;
  }

  /** The number of records that became due since the last call. */
  due(nowMillis: number): number {
    const wanted = Math.floor(((nowMillis - this.#pointMillis) * this.#rate) / 1_000);
    const most = Math.max(1, Math.floor((MAX_DEBT_MILLIS * this.#rate) / 1_000));
    if (wanted - this.#given > most) {
      this.#pointMillis = nowMillis;
      this.#given = 0;
      return most;
    }
    const due = wanted - this.#given;
    this.#given = wanted;
    return due;
  }
}

/** Draws key indexes from 0 to keys-1 with weight 1 / (index + 1)^skew (Zipf; 0 is uniform). */
export function keyChooser(keys: number, skew: number, random: Random): () => number {
  const upTo: number[] = [];
  let total = 0;
  for (let index = 0; index < keys; index++) {
    total += 1 / (index + 1) ** skew;
    upTo.push(total);
  }
  return () => {
    const point = random.next() * total;
    let low = 0;
    let high = keys - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (upTo[middle]! > point) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
