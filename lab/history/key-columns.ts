/**
 * One number per (key, n), for millions of pairs. `n` counts up from 1 per key, so each key is a dense
 * column. 0 means "not set".
 */
export class KeyColumns {
  readonly #columns = new Map<string, Float64Array>();
  /** The highest n set. */
  readonly #highest = new Map<string, number>();

  get(key: string, n: number): number {
    return this.#columns.get(key)?.[n] ?? 0;
  }

  set(key: string, n: number, value: number): void {
    let column = this.#columns.get(key);
    if (column === undefined || n >= column.length) {
      if (n > MAX_PER_KEY) throw new RangeError(`n ${n} of key ${key}: expected at most ${MAX_PER_KEY}`);
      const wider = new Float64Array(Math.max(64, n + 1, (column?.length ?? 0) * 2));
      if (column !== undefined) wider.set(column);
      column = wider;
      this.#columns.set(key, column);
    }
    column[n] = value;
    if (n > (this.#highest.get(key) ?? 0)) this.#highest.set(key, n);
  }

  highestOf(key: string): number {
    return this.#highest.get(key) ?? 0;
  }

  keys(): IterableIterator<string> {
    return this.#columns.keys();
  }
}

/** Bounds the memory that an absurd n (a damaged line) can take: 50 M numbers are 400 MB. */
const MAX_PER_KEY = 50_000_000;
