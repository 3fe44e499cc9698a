/**
 * The failover time that a worker publishes: its option, or more after its event loop was blocked or paused,
 * so that the next block of that length does not cost the worker its leases. Pure: lengths and moments in, a
 * time out.
 *
 * - A block below a third of the option needs no cover: a heartbeat is due every third, and one may fail.
 * - A longer block is covered twice: a batch grows at most twofold in a step, so the next block may be twice
 *   as long.
 * - The cover decays, so that a crash is noticed in the normal time again. Its half-life is the longest of: a
 *   minute, ten times the length of the block, and the time between two blocks if they recur. Ten minutes at
 *   most.
 */

/** Of the option. A block of this length or more is reported and covered. */
export const NOTABLE_PART = 1 / 3;
/** The published time is at most this many times the option: a crash is noticed no later. */
export const MAX_COVER_PARTS = 10;
const COVERED_TIMES = 2;
/**
 * Of the option. A worker that blocks this long can be marked dead if its published time does not cover the
 * block.
 */
const LETHAL_PART = 1 / 2;
const MIN_HALF_LIFE_MILLIS = 60_000;
/** Times the length of the block. */
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

  /**
   * The failover time that a heartbeat publishes.
   *
   * @param currentMillis the length so far of a block that may still last
   */
  publishedMillis(nowMillis: number, currentMillis = 0): number {
    const longest = Math.max(this.#leftMillis(nowMillis), currentMillis);
    if (!isNotable(longest, this.#optionMillis)) return this.#optionMillis;
    const covering = this.#optionMillis + COVERED_TIMES * longest;
    return Math.round(Math.min(MAX_COVER_PARTS * this.#optionMillis, covering));
  }

  /**
   * The least time by which this worker judges others. A worker that was itself blocked this long knows that
   * the handler may be the cause, and the handler is the same on all workers. 0: no such block is known.
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
