/**
 * How many records the next call of a shard's handler gets, so that it does not block the event loop for too
 * long. Pure: the measurements of earlier calls in, a number out.
 *
 * A block is modelled as a fixed part plus a part per record. Both are estimated from the last calls (least
 * squares; older calls fade). If the fixed part is the larger one, smaller batches would only add work. The
 * records may then take as long as the fixed part, and the published failover time covers both. Asynchronous
 * handlers block nothing and are never limited.
 */

/**
 * The part of the failover time that a call may block. It is below a third to leave room for differences
 * between batches.
 */
const TARGET_PART = 1 / 4;
/** The most that a limit grows by in one step. The bold growth is used only where it can do no harm. */
const BOLD_GROWTH = 10;
const GROWTH = 2;
const FADING = 0.6;
/** Of the squared mean. With a smaller variance, the calls were all of about one size. */
const MIN_VARIANCE_PART = 0.01;
/** The most records of one read. */
const MAX_RECORDS = 10_000;

export class BatchFit {
  readonly #targetMillis: number;
  #limit: number;
  #hasProbed = false;
  #weight = 0;
  #count = 0;
  #blocked = 0;
  #countSquared = 0;
  #countBlocked = 0;

  /**
   * @param isCautious the last owner of the shard was marked dead. The next batch may have blocked its event
   *   loop, so the limit begins at one record.
   */
  constructor(failoverTimeMillis: number, isCautious: boolean) {
    this.#targetMillis = TARGET_PART * failoverTimeMillis;
    this.#limit = isCautious ? 1 : Number.POSITIVE_INFINITY;
  }

  /** Most records of the next call. Infinity: no limit. */
  get limit(): number {
    return this.#limit;
  }

  /** A call of `count` records has blocked the event loop for `blockedMillis` (its longest block). */
  called(count: number, blockedMillis: number): void {
    const isLimited = this.#limit !== Number.POSITIVE_INFINITY;
    if (!isLimited && blockedMillis <= this.#targetMillis) return;
    this.#remember(count, blockedMillis);
    const { perRecord, fixed } = this.#estimate(count, blockedMillis);
    const fitting = Math.max(this.#targetMillis - fixed, fixed) / perRecord;
    // `BOLD_GROWTH` times as many records still block for less than the target (harmless), or for less than
    // twice as long (fixed).
    const isHarmless = blockedMillis * BOLD_GROWTH <= this.#targetMillis;
    const isFixed = perRecord * count * BOLD_GROWTH <= blockedMillis;
    const growth = count * (isHarmless || isFixed ? BOLD_GROWTH : GROWTH);
    // A read that brought few records does not lower a limit that larger calls have proven to fit.
    const most = isLimited ? Math.max(this.#limit, growth) : Number.POSITIVE_INFINITY;
    const least = this.#probes(count, blockedMillis) ? 2 : 1;
    const limit = Math.max(least, Math.floor(Math.min(fitting, most)));
    this.#limit = limit > MAX_RECORDS ? Number.POSITIVE_INFINITY : limit;
    if (this.#limit === Number.POSITIVE_INFINITY) this.#forget();
  }

  /**
   * If one record alone blocks too long, two are tried once. If two block no longer, the block does not come
   * from the records.
   */
  #probes(count: number, blockedMillis: number): boolean {
    if (this.#hasProbed || count > 1 || blockedMillis <= this.#targetMillis) return false;
    this.#hasProbed = true;
    return true;
  }

  #remember(count: number, blockedMillis: number): void {
    this.#weight = FADING * this.#weight + 1;
    this.#count = FADING * this.#count + count;
    this.#blocked = FADING * this.#blocked + blockedMillis;
    this.#countSquared = FADING * this.#countSquared + count ** 2;
    this.#countBlocked = FADING * this.#countBlocked + count * blockedMillis;
  }

  #forget(): void {
    this.#weight = this.#count = this.#blocked = this.#countSquared = this.#countBlocked = 0;
    this.#hasProbed = false;
  }

  #estimate(count: number, blockedMillis: number): { readonly perRecord: number; readonly fixed: number } {
    const mean = this.#count / this.#weight;
    const meanBlocked = this.#blocked / this.#weight;
    const variance = this.#countSquared / this.#weight - mean ** 2;
    // Calls of about one size do not show the fixed part. Then every record is assumed to cost the same, and
    // nothing is fixed.
    const slope =
      variance > MIN_VARIANCE_PART * mean ** 2
        ? (this.#countBlocked / this.#weight - mean * meanBlocked) / variance
        : blockedMillis / count;
    const perRecord = Math.max(0, Math.min(slope, Math.max(meanBlocked / mean, blockedMillis / count)));
    return { perRecord, fixed: Math.max(0, meanBlocked - perRecord * mean) };
  }
}
