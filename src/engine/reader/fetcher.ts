/**
 * Fetches a shard's batches one after another: pacing, budget, GetRecords, and what to do when that fails. It
 * never stops trying while the lease is held. Every failure is reported and leads to a later try.
 *
 * - throttled, unavailable, malformed-answer, denied, unauthenticated, expired-credentials, encryption: the
 *   same call is retried with growing pauses up to 5 s. The position never moves.
 * - expired-iterator: a new iterator at the same position, at once; with pauses if the new one expires too.
 * - invalid, from GetRecords: the iterator is refused. A new one at the same position.
 * - invalid, from GetShardIterator: the position is refused. `position.ts` decides when it moves and where
 *   to. A moved position is tried without backoff.
 * - not-found: the listing shows whether the shard is gone or still there (`listing.ts`).
 * - The end, not confirmed by the listing: a new iterator at the same position, and the listing again, with
 *   pauses up to 2 s.
 * - The end, confirmed, but without children in the response: a new iterator at the same position, once. The
 *   second response is believed.
 */

import type { ErrorClass } from "../../core/error-class.ts";
import type { HashRange } from "../../core/hash-range.ts";
import type { ConsumerRecord } from "../../core/record.ts";
import type { MetricDimensions } from "../../ports/metrics.ts";
import { backoffMillis } from "../../ports/random.ts";
import { type ReadResult, type Shard, StreamError, type StreamErrorClass } from "../../ports/stream.ts";
import type { LastError } from "../error-reports.ts";
import type { BudgetAccount } from "./byte-budget.ts";
import { ShardCursor } from "./cursor.ts";
import { ReadLag } from "./lag.ts";
import { type Listed, ShardListing } from "./listing.ts";
import { allowedAtMillis, MIN_READ_SPACING_MILLIS, nextReadAtMillis, WANTED_READ_BYTES } from "./pacing.ts";
import { type LeaseStart, ReadPosition } from "./position.ts";
import type { ShardReaderDeps, ShardReaderOptions } from "./reader-options.ts";
import { ShardRecords } from "./records.ts";

export interface FetchedBatch {
  readonly kind: "batch";
  /** For the handler: KPL aggregates are expanded. */
  readonly records: readonly ConsumerRecord[];
  /** Held in the budget account until the reader releases them. */
  readonly bytes: number;
  readonly millisBehindLatest: number;
  /** Wall clock, for events. */
  readonly readAtMillis: number;
  /** Set with the last batch of the shard: the listing has confirmed that it ends here. */
  readonly end: ShardEnd | undefined;
}

/** The last piece of a read holds its bytes: until then the other pieces share the same memory. */
type Rest = Omit<FetchedBatch, "records">;

export interface ShardEnd {
  /** Undefined: neither the last read nor the listing names them yet. */
  readonly children: readonly Shard[] | undefined;
}

export type Fetched =
  | FetchedBatch
  /** The shard is no longer in the stream: trimmed, together with whatever was unread. */
  | { readonly kind: "gone"; readonly children: readonly Shard[] | undefined }
  /** No room for a batch ahead: ask again when the current batch is done. */
  | { readonly kind: "deferred" }
  /** The signal aborted during the wait. */
  | { readonly kind: "aborted" };

const BACKOFF_BASE_MILLIS = 200;
/** Even after an outage of hours, a shard is read again within this time of its end. */
const BACKOFF_CAP_MILLIS = 5_000;
/** The children of a shard wait for its end to be confirmed. */
const UNCONFIRMED_END_CAP_MILLIS = 2_000;
/** Until the first records show their real size. */
const ASSUMED_RECORD_BYTES = 1_024;

export type FetchedLease = LeaseStart & {
  readonly shardId: string;
  /** From the lease, for `kplHashRange: "drop"`. */
  readonly hashRange: HashRange | undefined;
};

export class ShardFetcher {
  readonly #deps: ShardReaderDeps;
  readonly #options: ShardReaderOptions;
  readonly #shardId: string;
  readonly #account: BudgetAccount;
  readonly #records: ShardRecords;
  readonly #cursor: ShardCursor;
  readonly #listing: ShardListing;
  readonly #lag: ReadLag;
  readonly #dimensions: MetricDimensions;
  #nextReadAtMillis: number;
  /** Kinesis's limits allow no call before this time. */
  #allowedAtMillis = Number.NEGATIVE_INFINITY;
  #emptyReads = 0;
  #recordBytes: number | undefined;
  /** Failures in a row. */
  #failures = 0;
  /** The last failure was an expired iterator. */
  #hasExpired = false;
  /** The last response said that the shard ends here, and so did the listing. */
  #hasEnded = false;
  #lastError: LastError | undefined;
  /** Of the last read. Set while some of its records are not returned yet. */
  #rest: Rest | undefined;

  constructor(
    deps: ShardReaderDeps,
    options: ShardReaderOptions,
    lease: FetchedLease,
    account: BudgetAccount,
  ) {
    const { shardId } = lease;
    const { clock } = deps;
    this.#deps = deps;
    this.#options = options;
    this.#shardId = shardId;
    this.#account = account;
    this.#records = new ShardRecords(deps, shardId, options.kplHashRange, lease.hashRange);
    const position = new ReadPosition(lease, options.initialPosition, clock);
    const cursor = new ShardCursor(deps, shardId, position, () => this.#records.reopened());
    this.#cursor = cursor;
    this.#listing = new ShardListing(() => cursor.listShards(), clock, shardId);
    this.#dimensions = { Operation: "ProcessTask", ShardId: shardId };
    this.#nextReadAtMillis = clock.monotonicMillis();
    this.#lag = new ReadLag(this.#nextReadAtMillis);
  }

  /**
   * How far reading is behind the tip, even while the shard is not read.
   * @param nowMillis monotonic
   */
  lagMillis(nowMillis: number): number {
    return this.#lag.at(nowMillis);
  }

  /** Wall clock of the last successful read; undefined before the first. */
  get lastReadMillis(): number | undefined {
    return this.#lag.lastReadMillis;
  }

  /** The newest failure; undefined before the first. */
  get lastError(): LastError | undefined {
    return this.#lastError;
  }

  /** The next batch, empty or not. Never rejects. */
  async next(signal: AbortSignal): Promise<Fetched> {
    const { clock } = this.#deps;
    if (this.#rest !== undefined && !signal.aborted)
      return this.#piece(this.#records.nextPiece(), this.#rest);
    for (;;) {
      const waitMillis = this.#nextReadAtMillis - clock.monotonicMillis();
      if (waitMillis > 0) await clock.sleep(waitMillis, signal);
      const fetched = signal.aborted ? ({ kind: "aborted" } as const) : await this.#attempt(signal);
      if (fetched?.kind === "aborted" || fetched?.kind === "gone") this.#forget();
      if (fetched !== undefined) return fetched;
    }
  }

  /**
   * The final read before a hand-over, in one try. Undefined if the last read is recent enough, if the shard
   * is known to be behind (a backlog belongs to the new owner), or if the read fails.
   *
   * @param over aborts when the hand-over waits no longer: an iterator that arrives after it is not read from
   *   (seed 1310128)
   */
  async last(over: AbortSignal): Promise<FetchedBatch | undefined> {
    const now = this.#deps.clock.monotonicMillis();
    const isBehind = this.#rest !== undefined || !this.#lag.wasAtTip;
    if (now < this.#allowedAtMillis || this.#failures > 0 || isBehind) return undefined;
    const fetched = await this.#attempt(over);
    this.#forget();
    return fetched?.kind === "batch" ? fetched : undefined;
  }

  /** Undefined: it failed, and `#nextReadAtMillis` is the time of the next try. */
  async #attempt(signal: AbortSignal): Promise<Fetched | undefined> {
    const recordBytes = this.#likelyRecordBytes();
    const { maxRecords } = this.#options;
    const grantedBytes = this.#account.reserve(Math.min(WANTED_READ_BYTES, maxRecords * recordBytes));
    if (grantedBytes === 0) return { kind: "deferred" };
    const limit = Math.max(1, Math.min(maxRecords, Math.floor(grantedBytes / recordBytes)));
    let bytes = 0;
    try {
      const { clock } = this.#deps;
      if (!this.#cursor.isOpen) await this.#cursor.open();
      if (signal.aborted) return { kind: "aborted" };
      const startedAtMillis = clock.monotonicMillis();
      const readAtMillis = clock.wallMillis();
      this.#allowedAtMillis = allowedAtMillis({ startedAtMillis, bytes });
      const result = await this.#cursor.read(limit);
      for (const record of result.records) bytes += record.data.length + record.partitionKey.length;
      const read = { startedAtMillis, readAtMillis, limit, bytes };
      const records = this.#take(result, read);
      const { millisBehindLatest } = result;
      const end = result.nextIterator === undefined ? await this.#confirmEnd(result.children) : undefined;
      if (result.nextIterator !== undefined || end !== undefined) this.#succeeded(result, read);
      return this.#piece(records, { kind: "batch", bytes, millisBehindLatest, readAtMillis, end });
    } catch (error) {
      return this.#failed(error);
    } finally {
      this.#account.settle(grantedBytes, bytes);
    }
  }

  #piece(records: readonly ConsumerRecord[], rest: Rest): FetchedBatch {
    this.#rest = this.#records.hasMore ? rest : undefined;
    return this.#rest === undefined ? { ...rest, records } : { ...rest, records, bytes: 0, end: undefined };
  }

  /** 1.5 times the mean size of the last records. A single record is never larger than a response. */
  #likelyRecordBytes(): number {
    return this.#recordBytes === undefined ? ASSUMED_RECORD_BYTES : Math.ceil(this.#recordBytes * 1.5);
  }

  #take(result: ReadResult, read: Read): readonly ConsumerRecord[] {
    const count = result.records.length;
    const records = this.#records.take(result.records);
    this.#cursor.advance(result);
    this.#emptyReads = count === 0 ? this.#emptyReads + 1 : 0;
    if (count > 0) this.#recordBytes = read.bytes / count;
    this.#allowedAtMillis = allowedAtMillis(read);
    this.#listing.seen();
    if (result.nextIterator !== undefined) this.#hasEnded = false;
    return records;
  }

  #succeeded({ records, millisBehindLatest }: ReadResult, read: Read): void {
    const { clock, metrics, reports } = this.#deps;
    this.#nextReadAtMillis = nextReadAtMillis(
      { ...read, count: records.length, millisBehindLatest, emptyReads: this.#emptyReads },
      this.#options.idleTimeBetweenReadsMillis,
    );
    const nextDueMillis = Math.max(this.#nextReadAtMillis, clock.monotonicMillis());
    this.#lag.read({ millisBehindLatest, atMillis: read.readAtMillis, nextDueMillis });
    if (this.#failures > 0) reports.recovered("reading", this.#shardId);
    this.#failures = 0;
    this.#hasExpired = false;
    const millis = clock.monotonicMillis() - read.startedAtMillis;
    this.#detail("KinesisDataFetcher.getRecords.Time", millis, "Milliseconds");
    this.#detail("KinesisDataFetcher.getRecords.Success", 1, "Count");
    this.#detail("MillisBehindLatest", millisBehindLatest, "Milliseconds");
    metrics.record("MillisBehindLatest", millisBehindLatest, "Milliseconds", {
      Operation: "ApplicationTracker",
    });
  }

  /**
   * The response says that the shard ends here. Undefined: the listing does not (yet), and reading continues.
   */
  async #confirmEnd(named: readonly Shard[] | undefined): Promise<ShardEnd | undefined> {
    const listed = await this.#listed();
    const isOver =
      listed?.kind === "closed" ||
      (listed?.kind === "absent" && (listed.isLasting || listed.children.length > 0));
    if (isOver) {
      const areOurs = named?.every((child) => child.parentShardIds.includes(this.#shardId));
      if (areOurs || this.#hasEnded) return { children: areOurs ? named : someOf(listed.children) };
      // A response without children may be an empty one from something in between, while the shard closed
      // with records that are still unread. So the shard is read once more at the same place.
      this.#hasEnded = true;
      this.#nextReadAtMillis = this.#allowedAtMillis;
      return undefined;
    }
    if (listed !== undefined) {
      const message = `an answer says that ${this.#shardId} has ended, and ListShards does not (yet): reading goes on`;
      this.#report("malformed-answer", new StreamError("malformed-answer", message));
    }
    this.#failures += 1;
    this.#backOff(UNCONFIRMED_END_CAP_MILLIS);
    return undefined;
  }

  async #failed(error: unknown): Promise<Fetched | undefined> {
    const problem = error instanceof StreamError ? error.problem : "unavailable";
    const wasOpen = this.#cursor.isOpen;
    this.#failures += 1;
    this.#detail("KinesisDataFetcher.getRecords.Success", 0, "Count");
    const hadExpired = this.#hasExpired;
    this.#hasExpired = problem === "expired-iterator";
    if (problem === "expired-iterator") return this.#expired(error, hadExpired);
    this.#backOff(BACKOFF_CAP_MILLIS);
    this.#report(problem, error);
    if (problem !== "invalid" && problem !== "not-found") return undefined;
    this.#cursor.close();
    if (problem === "not-found") return this.#notFound(wasOpen);
    if (!wasOpen) await this.#positionRefused();
    return undefined;
  }

  /**
   * An iterator that expired during an outage is no failure of its own. One that expires again and again is.
   */
  #expired(error: unknown, again: boolean): undefined {
    this.#deps.metrics.record("ExpiredIterator", 1, "Count", this.#dimensions);
    this.#cursor.close();
    if (!again) {
      this.#nextReadAtMillis = this.#allowedAtMillis;
      return;
    }
    this.#backOff(BACKOFF_CAP_MILLIS);
    this.#report("unavailable", error);
  }

  async #notFound(wasOpen: boolean): Promise<Fetched | undefined> {
    const listed = await this.#listed();
    if (listed === undefined) return undefined;
    if (listed.kind !== "absent") {
      // Some endpoints answer "not found" for a sequence number that they no longer have.
      if (!wasOpen && "sequenceNumber" in this.#cursor.position) await this.#positionRefused();
      return undefined;
    }
    if (!listed.isLasting) return undefined;
    this.#deps.logger.error(
      { shardId: this.#shardId, from: this.#cursor.position },
      "the shard is no longer in the stream: what was unread is past its retention; going on with its children",
    );
    return { kind: "gone", children: someOf(listed.children) };
  }

  async #positionRefused(): Promise<void> {
    try {
      if (!(await this.#cursor.refused())) return;
      const { clock } = this.#deps;
      this.#nextReadAtMillis = Math.max(
        this.#allowedAtMillis,
        clock.monotonicMillis() + MIN_READ_SPACING_MILLIS,
      );
    } catch (error) {
      this.#report(error instanceof StreamError ? error.problem : "unavailable", error);
    }
  }

  /** Undefined: the listing failed, which is reported. */
  async #listed(): Promise<Listed | undefined> {
    const { reports } = this.#deps;
    try {
      const listed = await this.#listing.find();
      reports.recovered("stream listing", this.#shardId);
      return listed;
    } catch (error) {
      const problem = error instanceof StreamError ? error.problem : "unavailable";
      if (problem === "not-found") {
        const message = `the stream does not exist (any more): ${String(error)}; reading goes on where it stopped when it is back`;
        this.#report("not-found", new StreamError("not-found", message, { cause: error }));
      } else reports.failed("stream listing", classOf(problem), error, this.#shardId);
      return undefined;
    }
  }

  #backOff(capMillis: number): void {
    const { clock, random } = this.#deps;
    const pause = backoffMillis(this.#failures, random, BACKOFF_BASE_MILLIS, capMillis);
    this.#nextReadAtMillis = Math.max(this.#allowedAtMillis, clock.monotonicMillis() + pause);
  }

  #report(problem: StreamErrorClass, error: unknown): void {
    const { clock, reports } = this.#deps;
    const errorClass = classOf(problem);
    const message = error instanceof Error ? error.message : String(error);
    this.#lastError = { source: "reading", errorClass, message, atMillis: clock.wallMillis() };
    reports.failed("reading", errorClass, error, this.#shardId);
  }

  /** Reading ends here: whether it would still fail is not known. */
  #forget(): void {
    if (this.#failures === 0) return;
    this.#deps.reports.forget("reading", this.#shardId);
    this.#deps.reports.forget("stream listing", this.#shardId);
  }

  #detail(name: string, value: number, unit: "Count" | "Milliseconds"): void {
    this.#deps.metrics.record(name, value, unit, this.#dimensions, "detailed");
  }
}

interface Read {
  /** Monotonic. */
  readonly startedAtMillis: number;
  /** Wall clock. */
  readonly readAtMillis: number;
  readonly limit: number;
  readonly bytes: number;
}

/** An iterator that expires as soon as it is issued counts as an unavailable endpoint. */
const classOf = (problem: StreamErrorClass): ErrorClass =>
  problem === "expired-iterator" ? "unavailable" : problem;

const someOf = (children: readonly Shard[]): readonly Shard[] | undefined =>
  children.length > 0 ? children : undefined;
