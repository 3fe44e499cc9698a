export interface CallCount {
  /** The `app/<id>` of the caller's user agent: "consumer", "producer", …; "other" if there is none. */
  caller: string;
  /** `<Service>.<Operation>`. */
  operation: string;
  count: number;
}

/**
 * A caller may put anything into its user agent, so the number of rows is limited. Further calls are counted
 * in one row.
 */
const MAX_ROWS = 2_000;

/** Counts calls per caller and operation. */
export class CallCounter {
  readonly #rows = new Map<string, CallCount>();
  readonly #overflow: CallCount = { caller: "overflow", operation: "Other.Other", count: 0 };

  add(caller: string, operation: string): void {
    const found = this.#rows.get(`${caller} ${operation}`);
    if (found) found.count += 1;
    else if (this.#rows.size < MAX_ROWS)
      this.#rows.set(`${caller} ${operation}`, { caller, operation, count: 1 });
    else this.#overflow.count += 1;
  }

  list(): CallCount[] {
    const rows = [...this.#rows.values(), ...(this.#overflow.count > 0 ? [this.#overflow] : [])];
    return rows.map((row) => ({ ...row }));
  }

  clear(): void {
    this.#rows.clear();
    this.#overflow.count = 0;
  }
}
