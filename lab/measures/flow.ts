/**
 * The flow of records from put to handler: counts, latency, backlog over time, and each shard's longest time
 * without a record.
 */
import type { HistoryEvent } from "../../services/contract/history.ts";
import { KeyColumns } from "../history/key-columns.ts";
import { MillisHistogram } from "./percentiles.ts";

export const BIN_MILLIS = 250;

/** A quarter of a second. */
export interface Bin {
  puts: number;
  /** Records handled for the first time. */
  handled: number;
  /** The longest put-to-handler time among them. */
  slowestMillis: number;
}

export interface Silence {
  readonly shardId: string;
  readonly from: number;
  readonly millis: number;
}

export class Flow {
  produced = 0;
  /** Distinct records handled. */
  processed = 0;
  /** Put and handled. The difference to `produced` is in flight, or lost. */
  arrived = 0;
  readonly latency = new MillisHistogram();
  /** Keyed by the number of quarter seconds since 1970. Only bins with events. */
  readonly bins = new Map<number, Bin>();
  readonly longestSilences = new Map<string, Silence>();
  readonly firstRecordAt = new Map<string, number>();
  readonly #lastRecordAt = new Map<string, number>();
  readonly #putAt = new KeyColumns();
  readonly #handledAt = new KeyColumns();

  observe(event: HistoryEvent): void {
    if (event.type === "put") this.#put(event);
    else if (event.type === "record") this.#record(event);
  }

  #put({ key, n, t }: Extract<HistoryEvent, { type: "put" }>): void {
    if (this.#putAt.get(key, n) !== 0) return;
    this.#putAt.set(key, n, t);
    this.produced += 1;
    this.#bin(t).puts += 1;
    // The put line may come after the record line: the producer writes it when it gets the answer.
    const handled = this.#handledAt.get(key, n);
    if (handled !== 0) this.#arrive(handled, 0);
  }

  #record({ key, n, t, shardId }: Extract<HistoryEvent, { type: "record" }>): void {
    this.#silence(shardId, t);
    if (this.#handledAt.get(key, n) !== 0) return;
    this.#handledAt.set(key, n, t);
    this.processed += 1;
    const put = this.#putAt.get(key, n);
    if (put !== 0) this.#arrive(t, Math.max(0, t - put));
  }

  #arrive(t: number, millis: number): void {
    this.arrived += 1;
    this.latency.add(millis);
    const bin = this.#bin(t);
    bin.handled += 1;
    bin.slowestMillis = Math.max(bin.slowestMillis, millis);
  }

  #silence(shardId: string, t: number): void {
    const from = this.#lastRecordAt.get(shardId);
    this.#lastRecordAt.set(shardId, t);
    if (from === undefined) this.firstRecordAt.set(shardId, t);
    else if (t - from > (this.longestSilences.get(shardId)?.millis ?? 0)) {
      this.longestSilences.set(shardId, { shardId, from, millis: t - from });
    }
  }

  #bin(t: number): Bin {
    const number = Math.floor(t / BIN_MILLIS);
    const known = this.bins.get(number);
    if (known !== undefined) return known;
    const fresh: Bin = { puts: 0, handled: 0, slowestMillis: 0 };
    this.bins.set(number, fresh);
    return fresh;
  }
}
