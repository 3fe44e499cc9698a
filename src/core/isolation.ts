/**
 * A batch that fails: which records the handler gets next, and which record is poison. Pure: no clock, no
 * I/O.
 *
 * To one call, a downstream that is down and a record that cannot be processed look the same. They differ in
 * what happens to the neighbouring records, so only such a difference is proof:
 *
 * - The whole batch is tried `WHOLE_TRIES` times. Then the next call has one record. Each call that passes
 *   doubles the size. Each call that fails right after one that passed halves it. A second failure in a row
 *   sets it to one again. So a bad record is found by halving. A downstream that is down gets single records
 *   only, and only as often as the pauses between calls allow.
 * - A record is poison when two conditions hold. It has failed alone `LONE_TRIES` times. And at least
 *   `proofs` times, a call with it failed, a call without it passed, and a call with it failed again. While
 *   the downstream is down no call passes, so no record is poison.
 * - The records before the suspect give such proof while the search approaches it. With `mayTryAhead`, a
 *   later record of another partition key gives it too: it is tried right after the suspect failed, at
 *   failures 2, 4, 8, … while such tries fail, and after every failure while they pass. The order within a
 *   partition key is kept. If the batch has no such record, later ones can be appended.
 * - A downstream that fails at random shows as suspects that pass at a later try although other records
 *   passed before. From then on, a suspect must fail for longer than any of those did.
 */

/** Bridges an outage of about a second with the default pauses. */
export const WHOLE_TRIES = 4;
export const LONE_TRIES = 4;

export interface IsolationRules {
  /** A record that has failed this often, the last time alone, is out of attempts. Undefined: no limit. */
  readonly maxAttempts: number | undefined;
  /** A later record of another partition key may be tried before one that fails. */
  readonly mayTryAhead: boolean;
  /** How often others must have passed between two failures of a record before it is called poison. */
  readonly proofs: number;
}

/** State that outlives a batch. */
export interface IsolationMemory {
  /** The most lone failures of a suspect that passed in the end although others had passed meanwhile. */
  longestRecovery: number;
}

export interface IsolationCall {
  /** next: the first records that are not settled, in order. ahead: one later record. */
  readonly kind: "next" | "ahead";
  /** Ascending; never empty. */
  readonly indexes: readonly number[];
}

export class Isolation {
  readonly #keys: string[];
  readonly #rules: IsolationRules;
  readonly #memory: IsolationMemory;
  readonly #attempts: number[];
  /** All records before it are settled: processed, or passed over. */
  #first = 0;
  /** Settled records after `#first`. */
  readonly #settledAhead = new Set<number>();
  /** Records that the handler has reported as poison. */
  readonly #named = new Set<number>();
  #size = Number.POSITIVE_INFINITY;
  #wholeFailures = 0;
  /** The last record of the newest call that failed right after one had passed. */
  #badEnd = -1;
  #failuresInRow = 0;
  /** How often the first record has failed alone. */
  #lone = 0;
  /** Calls that passed. */
  #passes = 0;
  /** Number of passes before a failed call → the last record in any such call. */
  readonly #failedAfter = new Map<number, number>();
  #aheadIsDue = false;
  #aheadPassed = false;
  #lastAhead = -1;
  /** Later records that failed while the first one did. Each requires one more proof. */
  #aheadFailures = 0;

  /** @param keys the partition keys of the batch's records, in order */
  constructor(keys: readonly string[], rules: IsolationRules, memory: IsolationMemory) {
    this.#keys = [...keys];
    this.#rules = rules;
    this.#memory = memory;
    this.#attempts = keys.map(() => 0);
  }

  /** The first record that is not settled. The length of the batch when all are settled. */
  get first(): number {
    return this.#first;
  }

  /** Failed calls since the last one that passed. */
  get failuresInRow(): number {
    return this.#failuresInRow;
  }

  /** The last call with the first record had no other record, and failed. */
  get failsAlone(): boolean {
    return this.#lone > 0;
  }

  /** The next call must follow at once: its result is proof only if it comes right after the last one. */
  get isUrgent(): boolean {
    return this.#aheadIsDue || this.#aheadPassed;
  }

  /** The first record fails alone, and no later record can be tried ahead of it. */
  get lacksNeighbours(): boolean {
    return this.#rules.mayTryAhead && this.#lone > 1 && this.#candidateAhead() === undefined;
  }

  /** A later record is processed, and the first one is not settled. */
  get isAhead(): boolean {
    return this.#settledAhead.size > 0;
  }

  /** How many failed calls the record has been in. */
  attemptsOf(index: number): number {
    return this.#attempts[index] ?? 0;
  }

  /** Why the first record should be passed over. Undefined: it should not. */
  get verdict(): "poison" | "attempts" | undefined {
    if (this.#named.has(this.#first)) return "poison";
    if (this.#lone === 0) return undefined;
    const enough = LONE_TRIES + 2 * this.#memory.longestRecovery;
    const needed = this.#rules.proofs + this.#aheadFailures;
    if (this.#lone >= enough && this.#proofs() >= needed) return "poison";
    return this.attemptsOf(this.#first) >= (this.#rules.maxAttempts ?? Number.POSITIVE_INFINITY)
      ? "attempts"
      : undefined;
  }

  /**
   * The next call. Undefined: every record is settled. Do not call this while there is a verdict.
   *
   * @param most upper bound on the records of a call, whatever size the search asks for. More would block the
   *   event loop for too long.
   */
  next(most = Number.POSITIVE_INFINITY): IsolationCall | undefined {
    if (this.#first >= this.#keys.length) return undefined;
    const ahead = this.#aheadIsDue ? this.#candidateAhead() : undefined;
    if (ahead !== undefined) return { kind: "ahead", indexes: [ahead] };
    const indexes: number[] = [];
    // One of the records up to `#badEnd` has failed while others passed. The next call has half of those that
    // are left.
    const knownBad = this.#badEnd - this.#first + 1;
    const wanted = knownBad > 1 ? Math.min(this.#size, Math.ceil(knownBad / 2)) : this.#size;
    const size = Math.min(wanted, most);
    for (let index = this.#first; index < this.#keys.length && indexes.length < size; index += 1) {
      if (this.#named.has(index)) break;
      if (!this.#settledAhead.has(index)) indexes.push(index);
    }
    return { kind: "next", indexes };
  }

  /** Adds the records that follow the batch in the shard. */
  append(keys: readonly string[]): void {
    for (const key of keys) {
      this.#keys.push(key);
      this.#attempts.push(0);
    }
    this.#aheadIsDue = this.#rules.mayTryAhead && this.#lone > 1 && this.#candidateAhead() !== undefined;
  }

  passed({ kind, indexes }: IsolationCall): void {
    this.#passes += 1;
    this.#failuresInRow = 0;
    if (kind === "ahead") {
      this.#aheadIsDue = false;
      this.#aheadPassed = true;
      this.#lastAhead = indexes[0]!;
      this.#settledAhead.add(this.#lastAhead);
      return;
    }
    if (this.#lone > 0 && this.#proofs() > 0)
      this.#memory.longestRecovery = Math.max(this.#memory.longestRecovery, this.#lone);
    this.#size *= 2;
    this.#settle(indexes[indexes.length - 1]! + 1);
  }

  failed({ kind, indexes }: IsolationCall): void {
    this.#failuresInRow += 1;
    for (const index of indexes) this.#attempts[index]! += 1;
    if (kind === "ahead") {
      this.#aheadIsDue = false;
      this.#aheadFailures += 1;
      this.#lastAhead = indexes[0]!;
      return;
    }
    const last = indexes[indexes.length - 1]!;
    this.#failedAfter.set(this.#passes, Math.max(this.#failedAfter.get(this.#passes) ?? 0, last));
    if (indexes.length === 1) {
      this.#size = 1;
      this.#lone += 1;
      const inTurn = this.#aheadPassed || isPowerOfTwo(this.#lone);
      this.#aheadIsDue =
        this.#rules.mayTryAhead && this.#lone > 1 && inTurn && this.#candidateAhead() !== undefined;
    } else {
      this.#shrink(indexes.length, last);
    }
    this.#aheadPassed = false;
  }

  /** The handler has reported this record as poison. That is no failure of any other record. */
  named(index: number): void {
    this.#named.add(index);
    this.#aheadIsDue = false;
    this.#aheadPassed = false;
  }

  /** The first record is to be tried again, even if it was reported as poison. */
  tryAgain(): void {
    this.#named.delete(this.#first);
    this.#aheadIsDue = false;
  }

  /** The first record is passed over. */
  settleFirst(): void {
    this.#settle(this.#first + 1);
  }

  /** The handler has reported that all records before this one are processed. */
  processedUpTo(index: number): void {
    if (index <= this.#first) return;
    this.#passes += 1;
    this.#failuresInRow = 0;
    this.#settle(index);
  }

  #settle(end: number): void {
    let first = end;
    while (this.#settledAhead.has(first)) first += 1;
    for (const index of [...this.#settledAhead, ...this.#named]) {
      if (index >= first) continue;
      this.#settledAhead.delete(index);
      this.#named.delete(index);
    }
    for (const [passes, last] of this.#failedAfter) if (last < first) this.#failedAfter.delete(passes);
    this.#first = first;
    this.#lone = 0;
    this.#aheadFailures = 0;
    this.#aheadIsDue = false;
    this.#aheadPassed = false;
  }

  #shrink(failedSize: number, lastIndex: number): void {
    this.#wholeFailures += 1;
    const { maxAttempts = Number.POSITIVE_INFINITY } = this.#rules;
    // The last attempt is made with the record alone.
    const wholeTries = Math.min(WHOLE_TRIES, Math.max(1, maxAttempts - 1));
    if (this.#size === Number.POSITIVE_INFINITY && this.#wholeFailures < wholeTries) return;
    const isAfterPass = this.#passes > 0 && this.#failuresInRow === 1;
    if (isAfterPass) this.#badEnd = lastIndex;
    this.#size = isAfterPass ? Math.ceil(failedSize / 2) : 1;
  }

  /** How often a call without the first record passed between two failed calls with it. */
  #proofs(): number {
    let spells = 0;
    for (const last of this.#failedAfter.values()) if (last >= this.#first) spells += 1;
    return Math.max(0, spells - 1);
  }

  /**
   * An unsettled later record of another key: the next one after the last that was tried ahead, or else the
   * first.
   */
  #candidateAhead(): number | undefined {
    const seen = new Set([this.#keys[this.#first]]);
    let lowest: number | undefined;
    for (let index = this.#first + 1; index < this.#keys.length; index += 1) {
      const key = this.#keys[index];
      if (this.#settledAhead.has(index) || seen.has(key)) continue;
      seen.add(key);
      if (this.#named.has(index)) continue;
      if (index > this.#lastAhead) return index;
      lowest ??= index;
    }
    return lowest;
  }
}

const isPowerOfTwo = (count: number): boolean => Number.isInteger(Math.log2(count));
