/**
 * Fetches a shard's batches one after another: pace, budget, iterator, GetRecords, and what to do when one of them
 * fails. It never gives up while the lease is held; every problem ends in a later try.
 */
import { backoffMillis } from "../../shared/random.ts";
import { compareCheckpoints } from "../core/lease.ts";
import type { MetricDimensions } from "../ports/metrics.ts";
import { type ReadResult, type Shard, StreamError, type StreamRecord } from "../ports/stream.ts";
import type { BudgetAccount } from "./byte-budget.ts";
import { ShardAbsence } from "./shard-reader-absence.ts";
import type { ShardReaderDependencies, ShardReaderOptions } from "./shard-reader-options.ts";
import { allowedAtMillis, nextReadAtMillis, WANTED_READ_BYTES } from "./shard-reader-pacing.ts";
import { type LeaseStart, ReadPosition } from "./shard-reader-position.ts";

export interface FetchedBatch {
  readonly kind: "batch";
  readonly records: readonly StreamRecord[];
  /** Held in the budget account until the reader releases them. */
  readonly bytes: number;
  readonly millisBehindLatest: number;
  /** Wall clock, for events. */
  readonly readAtMillis: number;
  /** Set with the last batch of the shard. */
  readonly end: { readonly children: readonly Shard[] | undefined } | undefined;
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
const BACKOFF_CAP_MILLIS = 10_000;
const LOG_SPACING_MILLIS = 30_000;
/** So often in a row an iterator may be refused before the trim horizon is tried; a position itself is refused once. */
const REFUSALS_PER_POSITION = 3;
/** Before the first records have shown how large they are. */
const ASSUMED_RECORD_BYTES = 1_024;

export class ShardFetcher {
  readonly #dependencies: ShardReaderDependencies;
  readonly #options: ShardReaderOptions;
  readonly #shardId: string;
  readonly #account: BudgetAccount;
  readonly #position: ReadPosition;
  readonly #absence: ShardAbsence;
  readonly #dimensions: MetricDimensions;
  #iterator: string | undefined;
  /** Set with a new iterator: what was read before is not delivered again, wherever the iterator had to begin. */
  #dropThrough: string | undefined;
  #lastSequenceNumber: string | undefined;
  #nextReadAtMillis: number;
  /** Kinesis's limits forbid a call before. */
  #allowedAtMillis = Number.NEGATIVE_INFINITY;
  #millisBehindLatest: number | undefined;
  #emptyReads = 0;
  #recordBytes: number | undefined;
  #failures = 0;
  #refusals = 0;
  #lastLogAtMillis = Number.NEGATIVE_INFINITY;

  constructor(
    dependencies: ShardReaderDependencies,
    options: ShardReaderOptions,
    shard: LeaseStart & { readonly shardId: string },
    account: BudgetAccount,
  ) {
    this.#dependencies = dependencies;
    this.#options = options;
    this.#shardId = shard.shardId;
    this.#account = account;
    this.#position = new ReadPosition(shard, options.initialPosition, dependencies.clock);
    this.#absence = new ShardAbsence(dependencies.stream, dependencies.clock, shard.shardId);
    this.#dimensions = { Operation: "ProcessTask", ShardId: shard.shardId };
    this.#nextReadAtMillis = dependencies.clock.monotonicMillis();
  }

  /** Of the last read; undefined before the first. */
  get millisBehindLatest(): number | undefined {
    return this.#millisBehindLatest;
  }

  /** The next batch, empty or not. Never rejects. */
  async next(signal: AbortSignal): Promise<Fetched> {
    const { clock } = this.#dependencies;
    for (;;) {
      const waitMillis = this.#nextReadAtMillis - clock.monotonicMillis();
      if (waitMillis > 0) await clock.sleep(waitMillis, signal);
      if (signal.aborted) return { kind: "aborted" };
      const fetched = await this.#attempt(signal);
      if (fetched !== undefined) return fetched;
    }
  }

  /**
   * A last look before a hand-over, in one try: undefined when the last read is young enough, when the shard is known
   * to be behind (a backlog is the new owner's), or when it fails.
   */
  async last(): Promise<FetchedBatch | undefined> {
    const now = this.#dependencies.clock.monotonicMillis();
    if (now < this.#allowedAtMillis || this.#failures > 0 || this.#millisBehindLatest !== 0) return undefined;
    const fetched = await this.#attempt(undefined);
    return fetched?.kind === "batch" ? fetched : undefined;
  }

  /** Undefined: it failed, and `#nextReadAtMillis` says when to try again. */
  async #attempt(signal: AbortSignal | undefined): Promise<Fetched | undefined> {
    const recordBytes = this.#likelyRecordBytes();
    const { maxRecords } = this.#options;
    const grantedBytes = this.#account.reserve(Math.min(WANTED_READ_BYTES, maxRecords * recordBytes));
    if (grantedBytes === 0) return { kind: "deferred" };
    const limit = Math.max(1, Math.min(maxRecords, Math.floor(grantedBytes / recordBytes)));
    let bytes = 0;
    try {
      const { clock } = this.#dependencies;
      if (this.#iterator === undefined) {
        this.#iterator = await this.#dependencies.stream.iterator(this.#shardId, this.#position.current);
        this.#position.opened();
        this.#dropThrough = this.#lastSequenceNumber;
        if (signal?.aborted) return { kind: "aborted" };
      }
      const startedAtMillis = clock.monotonicMillis();
      const readAtMillis = clock.wallMillis();
      this.#allowedAtMillis = allowedAtMillis({ startedAtMillis, bytes });
      const result = await this.#dependencies.stream.read(this.#iterator, limit);
      for (const record of result.records) bytes += record.data.length + record.partitionKey.length;
      const records = this.#unread(result.records);
      this.#succeeded(result, { startedAtMillis, limit, bytes });
      return {
        kind: "batch",
        records,
        bytes,
        millisBehindLatest: result.millisBehindLatest,
        readAtMillis,
        end: result.nextIterator === undefined ? { children: result.children } : undefined,
      };
    } catch (error) {
      return this.#failed(error);
    } finally {
      this.#account.settle(grantedBytes, bytes);
    }
  }

  #unread(records: readonly StreamRecord[]): readonly StreamRecord[] {
    if (this.#dropThrough === undefined || records.length === 0) return records;
    const through = { sequenceNumber: this.#dropThrough, subSequenceNumber: 0 };
    const first = records.findIndex(
      ({ sequenceNumber }) => compareCheckpoints({ sequenceNumber, subSequenceNumber: 0 }, through) > 0,
    );
    if (first === -1) return [];
    this.#dropThrough = undefined;
    return first === 0 ? records : records.slice(first);
  }

  /** Half as much again as the mean of the last records; one record is never larger than an answer. */
  #likelyRecordBytes(): number {
    return this.#recordBytes === undefined ? ASSUMED_RECORD_BYTES : Math.ceil(this.#recordBytes * 1.5);
  }

  #succeeded(result: ReadResult, read: { startedAtMillis: number; limit: number; bytes: number }): void {
    const { clock, metrics, logger } = this.#dependencies;
    const count = result.records.length;
    this.#iterator = result.nextIterator;
    this.#millisBehindLatest = result.millisBehindLatest;
    this.#emptyReads = count === 0 ? this.#emptyReads + 1 : 0;
    const last = result.records[count - 1];
    if (last !== undefined) {
      // While what was read before comes again (from the trim horizon), the end of that stays the mark.
      if (this.#dropThrough === undefined) this.#lastSequenceNumber = last.sequenceNumber;
      this.#position.read(last.sequenceNumber);
      this.#recordBytes = read.bytes / count;
    }
    const { millisBehindLatest } = result;
    this.#allowedAtMillis = allowedAtMillis(read);
    this.#nextReadAtMillis = nextReadAtMillis(
      { ...read, count, millisBehindLatest, emptyReads: this.#emptyReads },
      this.#options.idleTimeBetweenReadsMillis,
    );
    if (this.#failures > 0) {
      logger.info({ shardId: this.#shardId, failures: this.#failures }, "reading again");
      this.#failures = 0;
      this.#lastLogAtMillis = Number.NEGATIVE_INFINITY;
    }
    this.#refusals = 0;
    this.#absence.seen();
    const millis = clock.monotonicMillis() - read.startedAtMillis;
    metrics.record(
      "KinesisDataFetcher.getRecords.Time",
      millis,
      "Milliseconds",
      this.#dimensions,
      "detailed",
    );
    metrics.record("KinesisDataFetcher.getRecords.Success", 1, "Count", this.#dimensions, "detailed");
    metrics.record("MillisBehindLatest", millisBehindLatest, "Milliseconds", this.#dimensions);
    metrics.record("MillisBehindLatest", millisBehindLatest, "Milliseconds", {
      Operation: "ApplicationTracker",
    });
  }

  async #failed(error: unknown): Promise<Fetched | undefined> {
    const { clock, random, metrics } = this.#dependencies;
    const problem = error instanceof StreamError ? error.problem : "unavailable";
    this.#failures += 1;
    metrics.record("KinesisDataFetcher.getRecords.Success", 0, "Count", this.#dimensions, "detailed");
    const backoff = backoffMillis(this.#failures, random, BACKOFF_BASE_MILLIS, BACKOFF_CAP_MILLIS);
    const expiredOnce = problem === "expired-iterator" && this.#failures === 1;
    this.#nextReadAtMillis = Math.max(
      this.#allowedAtMillis,
      clock.monotonicMillis() + (expiredOnce ? 0 : backoff),
    );
    if (problem === "expired-iterator") metrics.record("ExpiredIterator", 1, "Count", this.#dimensions);
    if (!expiredOnce) this.#logFailure(problem, error);
    if (problem === "throttled" || problem === "unavailable") return undefined;
    const positionRefused = this.#iterator === undefined;
    this.#iterator = undefined;
    if (problem === "invalid") this.#refused(positionRefused ? REFUSALS_PER_POSITION : 1, error);
    if (problem !== "not-found") return undefined;
    const presence = await this.#absence.check();
    // Some endpoints say "not found" of a sequence number that they no longer have.
    if (presence.kind === "listed" && positionRefused) this.#refused(1, error);
    if (presence.kind !== "gone") return undefined;
    this.#dependencies.logger.error(
      { shardId: this.#shardId, from: this.#position.current },
      "the shard is no longer in the stream: what was unread is trimmed away; going on with its children",
    );
    return { kind: "gone", children: presence.children };
  }

  /** What is refused often enough is given up for the trim horizon: nothing that still exists is left out. */
  #refused(weight: number, error: unknown): void {
    this.#refusals += weight;
    if (this.#refusals < REFUSALS_PER_POSITION) return;
    this.#refusals = 0;
    const { current } = this.#position;
    if (!this.#position.refused()) return;
    this.#dependencies.logger.error(
      { shardId: this.#shardId, refused: current, error: String(error) },
      "position refused (trimmed away, or another stream's): reading from the trim horizon; records may be missing before it",
    );
  }

  #logFailure(problem: string, error: unknown): void {
    const now = this.#dependencies.clock.monotonicMillis();
    if (now - this.#lastLogAtMillis < LOG_SPACING_MILLIS) return;
    this.#lastLogAtMillis = now;
    const fields = { shardId: this.#shardId, problem, failures: this.#failures, error: String(error) };
    this.#dependencies.logger.warn(fields, "shard cannot be read, trying again");
  }
}
