/**
 * How far the reading of a shard is behind, even while it is not read. Kinesis reports it with each response.
 * From the time when the next read was due and did not come (the handler holds its batch, reads fail, the
 * process was paused), it grows with the clock. No I/O.
 */
export class ReadLag {
  #millisBehindLatest = 0;
  #agesFromMillis: number;
  #lastReadMillis: number | undefined;

  /** @param nowMillis monotonic: a shard that was never read is behind by at least the time since then */
  constructor(nowMillis: number) {
    this.#agesFromMillis = nowMillis;
  }

  /** @param read `atMillis`: wall clock; `nextDueMillis`: monotonic, when the next read is due */
  read(read: {
    readonly millisBehindLatest: number;
    readonly atMillis: number;
    readonly nextDueMillis: number;
  }) {
    this.#millisBehindLatest = read.millisBehindLatest;
    this.#lastReadMillis = read.atMillis;
    this.#agesFromMillis = read.nextDueMillis;
  }

  /** The last successful read was at the tip. */
  get wasAtTip(): boolean {
    return this.#lastReadMillis !== undefined && this.#millisBehindLatest === 0;
  }

  /** Wall clock when the last successful read was sent; undefined: there was none. */
  get lastReadMillis(): number | undefined {
    return this.#lastReadMillis;
  }

  /** @param nowMillis monotonic */
  at(nowMillis: number): number {
    return this.#millisBehindLatest + Math.max(0, Math.round(nowMillis - this.#agesFromMillis));
  }
}
