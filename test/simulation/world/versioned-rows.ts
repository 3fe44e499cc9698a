/** Rows with their past, for reads that return a row as it was a while ago. */

interface Versions<T> {
  /** Oldest first; the last one is current. */
  readonly past: { readonly at: number; readonly value: T | undefined }[];
}

/** How long old versions are kept for eventually consistent reads. */
const LONGEST_STALENESS_MILLIS = 5_000;

export class VersionedRows<K, T> {
  readonly #rows = new Map<K, Versions<T>>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get(key: K, asOf = Number.POSITIVE_INFINITY): T | undefined {
    const past = this.#rows.get(key)?.past;
    if (past === undefined) return undefined;
    for (let index = past.length - 1; index >= 0; index--) {
      const version = past[index]!;
      if (version.at <= asOf) return version.value;
    }
    return undefined;
  }

  set(key: K, value: T | undefined): void {
    const versions = this.#rows.get(key) ?? { past: [] };
    this.#rows.set(key, versions);
    const now = this.#now();
    versions.past.push({ at: now, value });
    while (versions.past.length > 1 && versions.past[1]!.at < now - LONGEST_STALENESS_MILLIS)
      versions.past.shift();
  }

  keys(): IterableIterator<K> {
    return this.#rows.keys();
  }

  /** All rows, each as of its own time. */
  values(asOf: (key: K) => number = () => Number.POSITIVE_INFINITY): T[] {
    const found: T[] = [];
    for (const key of this.#rows.keys()) {
      const value = this.get(key, asOf(key));
      if (value !== undefined) found.push(value);
    }
    return found;
  }
}
