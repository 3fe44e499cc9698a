/**
 * Fetches a shard's batches one after another: pace, budget, GetRecords, and what to do when that fails. It never gives
 * up while the lease is held; every failure is reported and ends in a later try.
 *
 * | failure | policy |
 * |---|---|
 * | throttled, unavailable, malformed-answer, denied, unauthenticated, expired-credentials, encryption | the same call again, with growing pauses up to 5 s; the position never moves |
 * | expired-iterator | a new iterator at the same position, at once; with pauses when one expires that was new |
 * | invalid, of GetRecords | the iterator is refused: a new one at the same position |
 * | invalid, of GetShardIterator | the position is refused (shard-reader-position.ts); another one is tried at once |
 * | not-found | the listing is asked: gone, or there after all (shard-reader-listing.ts) |
 * | the end, not confirmed by the listing | a new iterator at the same position, and the listing again, with pauses up to 2 s |
 * | the end, confirmed, but without children in the answer | a new iterator at the same position, once: the second answer is believed |
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

/** The last piece of a read holds its bytes: until then the others share the same memory. */
type Rest = Omit<FetchedBatch, "records">;

export interface ShardEnd {
  /** Undefined: neither the last read nor the listing names them yet. */
  readonly children: readonly Shard[] | undefined;
}

export type Fetched =
  | FetchedBatch
  /** The shard is no longer in the stream: trimmed away with whatever was unread. */
  | { readonly kind: "gone"; readonly children: readonly Shard[] | undefined }
  /** No room for a batch ahead: ask again when the batch in hand is done. */
  | { readonly kind: "deferred" }
  /** The signal aborted while it waited. */
  | { readonly kind: "aborted" };

const BACKOFF_BASE_MILLIS = 200;
/** Also after a trouble of hours, a shard is read again within this of its end. */
const BACKOFF_CAP_MILLIS = 5_000;
/** The children of a shard wait for its end to be confirmed. */
const UNCONFIRMED_END_CAP_MILLIS = 2_000;
/** Before the first records have shown how large they are. */
const ASSUMED_RECORD_BYTES = 1_024;

export type FetchedLease = LeaseStart & {
  readonly shardId: string;
  /** Of the lease, for `kplHashRange: "drop"`. */
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
  /** Kinesis's limits forbid a call before. */
  #allowedAtMillis = Number.NEGATIVE_INFINITY;
  #emptyReads = 0;
  #recordBytes: number | undefined;
  /** In a row. */
  #failures = 0;
  /** The last failure was an iterator that had expired. */
  #hasExpired = false;
  /** The last answer said that the shard ends here, and so did the listing. */
  #hasEnded = false;
  #lastError: LastError | undefined;
  /** Of the last read: set while some of its records are not given out. */
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

  /** How far reading is behind the tip, also while the shard is not read. @param nowMillis monotonic */
  lagMillis(nowMillis: number): number {
    return this.#lag.at(nowMillis);
  }

  /** Wall clock, of the last good read; undefined before the first. */
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
   * A last look before a hand-over, in one try: undefined when the last read is young enough, when the shard is known
   * to be behind (a backlog is the new owner's), or when it fails.
   *
   * @param over aborts when the hand-over waits no longer: an iterator that comes after it is not read from (seed 1310128)
   */
  async last(over: AbortSignal): Promise<FetchedBatch | undefined> {
    const now = this.#deps.clock.monotonicMillis();
    const isBehind = this.#rest !== undefined || !this.#lag.wasAtTip;
    if (now < this.#allowedAtMillis || this.#failures > 0 || isBehind) return undefined;
    const fetched = await this.#attempt(over);
    this.#forget();
    return fetched?.kind === "batch" ? fetched : undefined;
  }

  /** Undefined: it failed, and `#nextReadAtMillis` says when to try again. */
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

  /** Half as much again as the mean of the last records; one record is never larger than an answer. */
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

  /** The answer says that the shard ends here. Undefined: the listing does not (or not yet), and reading goes on. */
  async #confirmEnd(named: readonly Shard[] | undefined): Promise<ShardEnd | undefined> {
    const listed = await this.#poll();
    const isOver =
      listed?.kind === "closed" ||
      (listed?.kind === "absent" && (listed.isLasting || listed.children.length > 0));
    if (isOver) {
      const areOurs = named?.every((child) => child.parentShardIds.includes(this.#shardId));
      if (areOurs || this.#hasEnded) return { children: areOurs ? named : someOf(listed.children) };
      // Without children the answer may be an empty one of something between, and the shard closed with records that
      // are not read yet: it is read once more at the same place.
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

  /** An old one after an outage is no trouble of its own; one that expires again and again is. */
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
    const listed = await this.#poll();
    if (listed === undefined) return undefined;
    if (listed.kind !== "absent") {
      // Some endpoints say "not found" of a sequence number that they no longer have.
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

  /** Undefined: the listing says nothing, and that is reported. */
  async #poll(): Promise<Listed | undefined> {
    const { reports } = this.#deps;
    try {
      const listed = await this.#listing.poll();
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

  /** Reading ends here: what failed is not this worker's any more. */
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

/** An iterator that expires as soon as it is given out counts as an unavailable endpoint. */
const classOf = (problem: StreamErrorClass): ErrorClass =>
  problem === "expired-iterator" ? "unavailable" : problem;

const someOf = (children: readonly Shard[]): readonly Shard[] | undefined =>
  children.length > 0 ? children : undefined;
