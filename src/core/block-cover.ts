/**
 * The failover time that a worker publishes: its option, or longer where its event loop was blocked or paused, so that
 * the next block of that length does not cost it its leases. Pure: lengths and moments in, a time out.
 *
 * - A block below a third of the option needs nothing: a heartbeat is due every third, and one may fail.
 * - A longer one is covered twice: batches grow by at most twice at a step, so the next block may be twice as long.
 * - What is covered decays, so that a crash is noticed in the normal time again: by half in a minute, in ten times its
 *   length where that is longer, and in the time between two blocks where they come back.
 */

/** Of the option. A block from here on is reported and covered. */
export const NOTABLE_PART = 1 / 3;
/** The published time is at most so many options: a crash is not noticed later than that. */
export const MAX_COVER_PARTS = 10;
const COVERED_TIMES = 2;
/** Of the option: such a block can cost a worker its place where nobody covers it. */
const LETHAL_PART = 1 / 2;
const MIN_HALF_LIFE_MILLIS = 60_000;
/** Of the block. */
const HALF_LIFE_TIMES = 10;
const MAX_HALF_LIFE_MILLIS = 600_000;

export const isNotable = (blockedMillis: number, optionMillis: number): boolean =>
  blockedMillis >= optionMillis * NOTABLE_PART;

export class BlockCover {
  readonly #optionMillis: number;
  #longestMillis = 0;
  #atMillis = Number.NEGATIVE_INFINITY;
  #halfLifeMillis = MIN_HALF_LIFE_MILLIS;

  /** @param optionMillis `failoverTimeMillis` */
  constructor(optionMillis: number) {
    this.#optionMillis = optionMillis;
  }

  /** A block has ended. */
  blocked(millis: number, nowMillis: number): void {
    if (!isNotable(millis, this.#optionMillis)) return;
    const sinceLastMillis = nowMillis - this.#atMillis;
    const left = this.#leftMillis(nowMillis);
    const halfLives = [
      MIN_HALF_LIFE_MILLIS,
      HALF_LIFE_TIMES * millis,
      sinceLastMillis <= MAX_HALF_LIFE_MILLIS ? sinceLastMillis : 0,
      isNotable(left, this.#optionMillis) ? this.#halfLifeMillis : 0,
    ];
    this.#halfLifeMillis = Math.min(MAX_HALF_LIFE_MILLIS, Math.max(...halfLives));
    this.#longestMillis = Math.max(millis, left);
    this.#atMillis = nowMillis;
  }

  /** What a heartbeat publishes. @param currentMillis of a block that may still last */
  publishedMillis(nowMillis: number, currentMillis = 0): number {
    const longest = Math.max(this.#leftMillis(nowMillis), currentMillis);
    if (!isNotable(longest, this.#optionMillis)) return this.#optionMillis;
    const covering = this.#optionMillis + COVERED_TIMES * longest;
    return Math.round(Math.min(MAX_COVER_PARTS * this.#optionMillis, covering));
  }

  /**
   * No other worker is judged by less: who was itself blocked for so long knows that it may be the handler, which is the
   * same on all workers. 0: this worker knows nothing of the kind.
   */
  leastJudgedMillis(nowMillis: number, currentMillis = 0): number {
    const longest = Math.max(this.#leftMillis(nowMillis), currentMillis);
    const isLethal = longest >= LETHAL_PART * this.#optionMillis;
    return isLethal ? this.publishedMillis(nowMillis, currentMillis) : 0;
  }

  #leftMillis(nowMillis: number): number {
    return this.#longestMillis * 2 ** -((nowMillis - this.#atMillis) / this.#halfLifeMillis);
  }
}
