/**
 * How far the reading of a shard is behind, also while it is not read. Kinesis says it with each answer; from the
 * moment at which the next read was due and did not come (the handler holds its batch, reads fail, the process was
 * paused), it grows with the clock. No I/O.
 */
export class ReadLag {
  #millisBehindLatest = 0;
  #agesFromMillis: number;
  #lastReadMillis: number | undefined;

  /** @param nowMillis monotonic: a shard that was never read is behind by the time since then, at least */
  constructor(nowMillis: number) {
    this.#agesFromMillis = nowMillis;
  }

  /** @param read `atMillis`: wall clock; `nextDueMillis`: monotonic, when the next read is to come */
  read(read: {
    readonly millisBehindLatest: number;
    readonly atMillis: number;
    readonly nextDueMillis: number;
  }) {
    this.#millisBehindLatest = read.millisBehindLatest;
    this.#lastReadMillis = read.atMillis;
    this.#agesFromMillis = read.nextDueMillis;
  }

  /** The last good read had nothing behind it. */
  get wasAtTip(): boolean {
    return this.#lastReadMillis !== undefined && this.#millisBehindLatest === 0;
  }

  /** Wall clock, when the last good read was asked for; undefined: there was none. */
  get lastReadMillis(): number | undefined {
    return this.#lastReadMillis;
  }

  /** @param nowMillis monotonic */
  at(nowMillis: number): number {
    return this.#millisBehindLatest + Math.max(0, Math.round(nowMillis - this.#agesFromMillis));
  }
}
