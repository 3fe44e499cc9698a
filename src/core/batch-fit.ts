/**
 * How many records the next call of a shard's handler gets, so that it does not block the event loop for long. Pure:
 * what the calls before have measured in, a number out.
 *
 * A block is taken for a fixed part and one for each record, estimated from the last calls (least squares; older ones
 * fade). Where the fixed part is the larger one, smaller batches would only add to the work: then the records may take as
 * long again as the fixed part, and the published failover time covers both. Asynchronous handlers block nothing and are
 * never limited.
 */

/** Of the failover time: what a call may block. Below a third, by what batches differ. */
const TARGET_PART = 1 / 4;
/** What a limit grows by at a step, at most; boldly where that cannot do harm. */
const BOLD_GROWTH = 10;
const GROWTH = 2;
const FADING = 0.6;
/** Of the squared mean: below, the calls were all of about one size. */
const MIN_VARIANCE_PART = 0.01;
/** No read brings more. */
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
   * @param isCautious the last owner of the shard was declared dead: its event loop may have been blocked by the batch
   *   that is to come, so it begins with one record
   */
  constructor(failoverTimeMillis: number, isCautious: boolean) {
    this.#targetMillis = TARGET_PART * failoverTimeMillis;
    this.#limit = isCautious ? 1 : Number.POSITIVE_INFINITY;
  }

  /** Most records of the next call; infinite: no limit. */
  get limit(): number {
    return this.#limit;
  }

  /** A call of `count` records has blocked the event loop for so long (its longest block). */
  called(count: number, blockedMillis: number): void {
    const isLimited = this.#limit !== Number.POSITIVE_INFINITY;
    if (!isLimited && blockedMillis <= this.#targetMillis) return;
    this.#remember(count, blockedMillis);
    const { perRecord, fixed } = this.#estimate(count, blockedMillis);
    const fitting = Math.max(this.#targetMillis - fixed, fixed) / perRecord;
    // So many times as many records still block for less than the target, or for less than twice as long.
    const isHarmless = blockedMillis * BOLD_GROWTH <= this.#targetMillis;
    const isFixed = perRecord * count * BOLD_GROWTH <= blockedMillis;
    const growth = count * (isHarmless || isFixed ? BOLD_GROWTH : GROWTH);
    // A read that brought few records says nothing against a limit that more have shown to fit.
    const most = isLimited ? Math.max(this.#limit, growth) : Number.POSITIVE_INFINITY;
    const least = this.#probes(count, blockedMillis) ? 2 : 1;
    const limit = Math.max(least, Math.floor(Math.min(fitting, most)));
    this.#limit = limit > MAX_RECORDS ? Number.POSITIVE_INFINITY : limit;
    if (this.#limit === Number.POSITIVE_INFINITY) this.#forget();
  }

  /** Once, two records where one blocks for too long already: a block that is as long for both does not come from them. */
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
    // From calls of about one size it cannot be told: then every record is taken to cost the same, and nothing is fixed.
    const slope =
      variance > MIN_VARIANCE_PART * mean ** 2
        ? (this.#countBlocked / this.#weight - mean * meanBlocked) / variance
        : blockedMillis / count;
    const perRecord = Math.max(0, Math.min(slope, Math.max(meanBlocked / mean, blockedMillis / count)));
    return { perRecord, fixed: Math.max(0, meanBlocked - perRecord * mean) };
  }
}
