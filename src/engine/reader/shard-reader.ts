/**
 * Reads one shard under a held lease: one batch in the handler, at most one read ahead, strictly in order.
 *
 *   reading ◀──(a record is given up, policy "stop"; retried once a minute)──▶ halted
 *      │ drain()                                                                 │ drain()
 *      ▼                                                                         ▼
 *   draining ──(handler done with its batch, final read)────────────────────▶ finished
 *
 * The outcome of `finished` is ended, drained, failed or lost. `stop()` leads to `finished` from any state.
 */
import type { Clock } from "../../ports/clock.ts";
import type { Shard } from "../../ports/stream.ts";
import type { BudgetAccount } from "./byte-budget.ts";
import { Checkpointer } from "./checkpointer.ts";
import { ShardDelivery } from "./delivery.ts";
import { HALTED_RETRY_MILLIS } from "./failing-batch.ts";
import { type Fetched, type FetchedBatch, ShardFetcher } from "./fetcher.ts";
import { HANDLER_GRACE_MILLIS } from "./handler-call.ts";
import { errorOf } from "./handler-errors.ts";
import type { ShardReaderDeps, ShardReaderOptions } from "./reader-options.ts";
import { DEFAULT_LOG_WARNING_MILLIS, ShardActivity } from "./shard-activity.ts";
import type { HeldLease, ShardConsumer, ShardOutcome, ShardStatus } from "./shard-consumer.ts";
import { mayEnd } from "./shard-end.ts";

/** How long a drain waits for a response from Kinesis: the hand-over matters more than a final read. */
const LAST_READ_LIMIT_MILLIS = 300;

/** One read ahead of the batch in the handler. `ready` is set once the read has completed. */
interface ReadAhead {
  readonly fetched: Promise<Fetched>;
  ready: Fetched | undefined;
}

export function startShardConsumer(
  deps: ShardReaderDeps,
  options: ShardReaderOptions,
  held: HeldLease,
): ShardConsumer {
  const reader = new ShardReader(deps, options, held);
  reader.start();
  return reader;
}

class ShardReader implements ShardConsumer {
  readonly finished: Promise<ShardOutcome>;
  readonly #deps: ShardReaderDeps;
  readonly #options: ShardReaderOptions;
  readonly #shardId: string;
  readonly #clock: Clock;
  readonly #activity: ShardActivity;
  readonly #account: BudgetAccount;
  readonly #checkpointer: Checkpointer;
  readonly #fetcher: ShardFetcher;
  readonly #delivery: ShardDelivery;
  readonly #stopping = new AbortController();
  /** Aborts on a drain or a stop: ends every wait of the reading side. */
  readonly #interrupting = new AbortController();
  /** Aborts with the outcome: ends the timers that guard a stop or a drain. */
  readonly #over = new AbortController();
  #resolve: (outcome: ShardOutcome) => void = () => undefined;
  #state: "reading" | "draining" | "failed" | "finished" = "reading";
  #ahead: ReadAhead | undefined;
  /** Every record is delivered, and SHARD_END waits for the user's hook or checkpoint. */
  #isEnding = false;
  /** Ends the pause after an unexpected error, before reading begins again. */
  readonly #restarting = new AbortController();
  /** The outcome is decided; at most a write is still in flight. */
  #concluding = false;

  constructor(deps: ShardReaderDeps, options: ShardReaderOptions, held: HeldLease) {
    const { clock, random, reports, budget } = deps;
    const shardId = held.leaseKey;
    this.#deps = deps;
    this.#options = options;
    this.#shardId = shardId;
    this.finished = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#clock = clock;
    this.#account = budget.open();
    const account = this.#account;
    const intervalMillis = options.checkpointIntervalMillis;
    const onLost = () => this.stop();
    const checkpointer = new Checkpointer({ held, clock, random, reports, intervalMillis, onLost });
    this.#checkpointer = checkpointer;
    const warnAfterMillis = options.logWarningForTaskAfterMillis ?? DEFAULT_LOG_WARNING_MILLIS;
    this.#activity = new ShardActivity(deps, shardId, warnAfterMillis);
    const activity = this.#activity;
    const { checkpoint, startMillis, hashRange } = held.lease;
    const shard = { shardId, checkpoint, startMillis, hashRange };
    this.#fetcher = new ShardFetcher(deps, options, shard, account);
    const stopping = this.#stopping.signal;
    const interrupted = this.#interrupting.signal;
    this.#delivery = new ShardDelivery({
      deps,
      options,
      shardId,
      account,
      checkpointer,
      activity,
      isFromGoneOwner: held.isFromGoneOwner ?? false,
      takeAhead: () => this.#takeAhead(),
      stopping,
      interrupted,
    });
  }

  start(): void {
    void this.#activity.poller(this.#over.signal);
    this.#run().catch((thrown: unknown) => this.#fail(errorOf(thrown)));
  }

  drain(): void {
    if (this.#state === "finished" || this.#state === "draining") return;
    const hasFailed = this.#state === "failed";
    this.#state = "draining";
    this.#activity.enter("draining");
    this.#interrupting.abort();
    this.#checkpointer.rest();
    if (hasFailed) this.#finishDrained();
    else this.#limitWaiting();
  }

  resume(): boolean {
    if (this.#state !== "failed") return this.#delivery.resume();
    this.#restarting.abort();
    return true;
  }

  stop(): void {
    if (this.#stopping.signal.aborted || this.#state === "finished") return;
    this.#stopping.abort();
    this.#interrupting.abort();
    void this.#checkpointer.close();
    // Waits for a handler that heeds its signal, so that the same worker can take the lease again without
    // overlap.
    const lost = () => this.#finish({ kind: "lost" });
    const { handling } = this.#delivery;
    if (handling === undefined) {
      lost();
      return;
    }
    handling.then(lost, lost);
    void this.#clock.sleep(HANDLER_GRACE_MILLIS, this.#over.signal).then(lost);
  }

  status(): ShardStatus {
    const { haltedBy, lastError } = this.#delivery.report;
    const isHalted = haltedBy !== undefined && (this.#state === "reading" || this.#state === "failed");
    return {
      state: isHalted || this.#state === "failed" ? "halted" : this.#state,
      activity: this.#activity.current,
      checkpoint: this.#checkpointer.progress,
      millisBehindLatest: this.#fetcher.lagMillis(this.#clock.monotonicMillis()),
      lastReadMillis: this.#fetcher.lastReadMillis,
      lastReadError: this.#fetcher.lastError,
      bufferedBytes: this.#account.bufferedBytes,
      error: haltedBy,
      lastError,
    };
  }

  get #isOver(): boolean {
    return this.#stopping.signal.aborted || this.#concluding;
  }

  async #run(): Promise<void> {
    while (this.#state === "reading") {
      const fetched = await this.#next();
      if (this.#isOver) return;
      if (fetched.kind === "gone") return this.#end(fetched.children);
      if (fetched.kind !== "batch") continue;
      // A read that was in flight when the drain came is the final read, and is delivered.
      const isFinalRead = this.#state !== "reading";
      if (fetched.end === undefined && !isFinalRead) this.#readAhead();
      const outcome = await this.#delivery.deliver(fetched, isFinalRead);
      if (this.#isOver) return;
      if (outcome.kind === "interrupted") return this.#finishDrained();
      if (outcome.end !== undefined) return this.#end(outcome.end.children);
      if (isFinalRead) return this.#finishDrained();
    }
    await this.#finalRead();
  }

  #next(): Promise<Fetched> {
    const next = this.#ahead?.fetched ?? this.#fetcher.next(this.#interrupting.signal);
    this.#ahead = undefined;
    return next;
  }

  #readAhead(): void {
    const ahead: ReadAhead = { fetched: this.#fetcher.next(this.#interrupting.signal), ready: undefined };
    this.#ahead = ahead;
    void ahead.fetched.then((fetched) => {
      ahead.ready = fetched;
    });
  }

  /** The batch that was read ahead, if it has arrived and has records. Then the next read ahead starts. */
  #takeAhead(): FetchedBatch | undefined {
    const ready = this.#ahead?.ready;
    if (this.#state !== "reading" || ready === undefined) return undefined;
    const isBatch = ready.kind === "batch";
    if (!isBatch && ready.kind !== "deferred") return undefined;
    if (!isBatch || ready.end === undefined) this.#readAhead();
    else if (ready.records.length > 0) this.#ahead = undefined;
    return isBatch && ready.records.length > 0 ? ready : undefined;
  }

  /**
   * Runs after a drain, when the handler is done with its batch. Reads nothing more, except what has just
   * arrived at the tip.
   */
  async #finalRead(): Promise<void> {
    this.#limitWaiting();
    const prefetched = await this.#ahead?.fetched;
    if (this.#isOver) return;
    // Records read ahead belong to the new owner. It reads them at once, while the handler here would delay
    // the hand-over.
    if (prefetched?.kind === "batch") {
      if (prefetched.records.length > 0) return this.#finishDrained();
      await this.#delivery.deliver(prefetched, false);
      if (prefetched.end !== undefined) return this.#end(prefetched.end.children);
    }
    const last = await this.#fetcher.last(this.#over.signal);
    if (this.#isOver) return;
    if (last === undefined) return this.#finishDrained();
    const outcome = await this.#delivery.deliver(last, true);
    if (this.#isOver) return;
    if (outcome.kind === "done" && last.end !== undefined) return this.#end(last.end.children);
    this.#finishDrained();
  }

  /** If no batch is in the handler, a drain ends within `LAST_READ_LIMIT_MILLIS`. */
  #limitWaiting(): void {
    void this.#clock.sleep(LAST_READ_LIMIT_MILLIS, this.#over.signal).then(() => {
      if (this.#delivery.handling === undefined && !this.#isEnding) this.#finishDrained();
    });
  }

  /** Reading ended with an unexpected error. The lease is kept, and the shard is read again after a pause. */
  #fail(error: Error): void {
    if (this.#isOver) return;
    if (this.#state === "draining") {
      this.#finishDrained();
      return;
    }
    this.#state = "failed";
    this.#activity.enter("halted");
    this.#interrupting.abort();
    this.#account.close();
    this.#delivery.report.halted(error, this.#checkpointer.progress);
    const untilThen = AbortSignal.any([this.#restarting.signal, this.#over.signal]);
    void this.#clock.sleep(HALTED_RETRY_MILLIS, untilThen).then(() => {
      if (this.#state !== "failed" || this.#isOver) return;
      this.#delivery.report.resumed();
      this.#conclude(() => ({ kind: "failed", checkpoint: this.#checkpointer.progress }));
    });
  }

  /** Called when every record of the shard is delivered. */
  async #end(children: readonly Shard[] | undefined): Promise<void> {
    this.#isEnding = true;
    const ended = await mayEnd({
      deps: this.#deps,
      options: this.#options,
      shardId: this.#shardId,
      checkpointer: this.#checkpointer,
      activity: this.#activity,
      processed: this.#delivery.processed,
      stopping: this.#stopping.signal,
      interrupted: this.#interrupting.signal,
    });
    if (!ended) return this.#finishDrained();
    this.#conclude(() => ({ kind: "ended", children, checkpoint: this.#checkpointer.progress }));
  }

  #finishDrained(): void {
    if (this.#isOver) return;
    this.#delivery.report.drained();
    this.#concluding = true;
    this.#interrupting.abort();
    void this.#delivery
      .shutDown()
      .then(() => this.#settle(() => ({ kind: "drained", checkpoint: this.#checkpointer.progress })));
  }

  /**
   * Waits for the write in flight, so that the next write of the shard task finds a final row. That write may
   * find the lease lost.
   */
  #conclude(outcome: () => ShardOutcome): void {
    if (this.#isOver) return;
    this.#concluding = true;
    this.#interrupting.abort();
    this.#settle(outcome);
  }

  #settle(outcome: () => ShardOutcome): void {
    void this.#checkpointer.close().then(() => this.#finish(outcome()));
  }

  #finish(outcome: ShardOutcome): void {
    if (this.#state === "finished") return;
    this.#state = "finished";
    this.#account.close();
    this.#over.abort();
    this.#resolve(outcome);
  }
}
