/**
 * Reads one shard under a held lease: one batch in the handler's hands, at most one read ahead, strictly in order.
 *
 *   reading ──(handler failed, policy "stop")──▶ halted
 *      │ drain()                                   │ drain()
 *      ▼                                           ▼
 *   draining ──(batch in hand done, last look)──▶ finished   (ended, drained or lost; stop() leads here from anywhere)
 */
import type { Clock } from "../../shared/clock.ts";
import type { Shard } from "../ports/stream.ts";
import type { BudgetAccount } from "./byte-budget.ts";
import { Checkpointer } from "./checkpointer.ts";
import { errorOf, HANDLER_GRACE_MILLIS } from "./handler-call.ts";
import type { HeldLease, ShardConsumer, ShardOutcome, ShardStatus } from "./shard-consumer.ts";
import { ShardDelivery } from "./shard-reader-delivery.ts";
import { type Fetched, ShardFetcher } from "./shard-reader-fetch.ts";
import type { ShardReaderDependencies, ShardReaderOptions } from "./shard-reader-options.ts";

/** A drain waits no longer than this for an answer of Kinesis: the hand-over matters more than a last look. */
const LAST_READ_LIMIT_MILLIS = 300;

export function startShardConsumer(
  dependencies: ShardReaderDependencies,
  options: ShardReaderOptions,
  held: HeldLease,
): ShardConsumer {
  const reader = new ShardReader(dependencies, options, held);
  reader.start();
  return reader;
}

class ShardReader implements ShardConsumer {
  readonly finished: Promise<ShardOutcome>;
  readonly #clock: Clock;
  readonly #account: BudgetAccount;
  readonly #checkpointer: Checkpointer;
  readonly #fetcher: ShardFetcher;
  readonly #delivery: ShardDelivery;
  readonly #stopping = new AbortController();
  /** Aborts with a drain or a stop: ends every wait of the reading side. */
  readonly #interrupting = new AbortController();
  /** Aborts with the outcome: ends the timers that guard a stop or a drain. */
  readonly #over = new AbortController();
  #resolve: (outcome: ShardOutcome) => void = () => undefined;
  #state: ShardStatus["state"] = "reading";
  #error: string | undefined;
  /** The outcome is decided, but for a write that is still under way. */
  #concluding = false;

  constructor(dependencies: ShardReaderDependencies, options: ShardReaderOptions, held: HeldLease) {
    const { clock, random, logger, budget } = dependencies;
    const shardId = held.leaseKey;
    this.finished = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#clock = clock;
    this.#account = budget.open();
    const account = this.#account;
    const intervalMillis = options.checkpointIntervalMillis;
    const onLost = () => this.stop();
    const checkpointer = new Checkpointer({ held, clock, random, logger, intervalMillis, onLost });
    this.#checkpointer = checkpointer;
    const { checkpoint, startMillis, hashRange } = held.lease;
    const shard = { shardId, checkpoint, startMillis, hashRange };
    this.#fetcher = new ShardFetcher(dependencies, options, shard, account);
    const stopping = this.#stopping.signal;
    const interrupted = this.#interrupting.signal;
    const parts = { dependencies, options, shardId, account, checkpointer, stopping, interrupted };
    this.#delivery = new ShardDelivery(parts);
  }

  start(): void {
    this.#run().catch((thrown: unknown) => this.#halt(errorOf(thrown)));
  }

  drain(): void {
    if (this.#state === "finished" || this.#state === "draining") return;
    const halted = this.#state === "halted";
    this.#state = "draining";
    this.#interrupting.abort();
    this.#checkpointer.rest();
    if (halted) this.#finishDrained();
    else this.#limitWaiting();
  }

  stop(): void {
    if (this.#stopping.signal.aborted || this.#state === "finished") return;
    this.#stopping.abort();
    this.#interrupting.abort();
    void this.#checkpointer.close();
    // A handler that heeds its signal is waited for, so that the same worker may take the lease again without overlap.
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
    return {
      state: this.#state,
      checkpoint: this.#checkpointer.progress,
      millisBehindLatest: this.#fetcher.lagMillis(this.#clock.monotonicMillis()),
      lastReadMillis: this.#fetcher.lastReadMillis,
      lastError: this.#fetcher.lastError,
      bufferedBytes: this.#account.bufferedBytes,
      error: this.#error,
    };
  }

  get #isOver(): boolean {
    return this.#stopping.signal.aborted || this.#concluding;
  }

  async #run(): Promise<void> {
    let ahead: Promise<Fetched> | undefined;
    while (this.#state === "reading") {
      const fetched = await (ahead ?? this.#fetcher.next(this.#interrupting.signal));
      ahead = undefined;
      if (this.#isOver) return;
      if (fetched.kind === "gone") return this.#finishEnded(fetched.children);
      if (fetched.kind !== "batch") continue;
      // A read that was under way when a drain came is the last look: it is delivered.
      const isLastLook = this.#state !== "reading";
      if (fetched.end === undefined && !isLastLook) ahead = this.#fetcher.next(this.#interrupting.signal);
      const outcome = await this.#delivery.deliver(fetched, isLastLook);
      if (this.#isOver) return;
      if (outcome.kind === "halt") return this.#halt(outcome.error);
      if (outcome.kind === "interrupted") return this.#finishDrained();
      if (fetched.end !== undefined) return this.#finishEnded(fetched.end.children);
      if (isLastLook) return this.#finishDrained();
    }
    await this.#lastLook(ahead);
  }

  /** The batch in hand is done and a drain was asked for: nothing more is read but, at the tip, what came just now. */
  async #lastLook(ahead: Promise<Fetched> | undefined): Promise<void> {
    this.#limitWaiting();
    const prefetched = await ahead;
    if (this.#isOver) return;
    // Records read ahead are the new owner's: it reads them at once, while our handler would keep it waiting.
    if (prefetched?.kind === "batch") {
      if (prefetched.records.length > 0) return this.#finishDrained();
      await this.#delivery.deliver(prefetched, false);
      if (prefetched.end !== undefined) return this.#finishEnded(prefetched.end.children);
    }
    const last = await this.#fetcher.last();
    if (this.#isOver) return;
    if (last === undefined) return this.#finishDrained();
    const outcome = await this.#delivery.deliver(last, true);
    if (this.#isOver) return;
    if (outcome.kind === "done" && last.end !== undefined) return this.#finishEnded(last.end.children);
    this.#finishDrained();
  }

  /** With nothing in the handler's hands, a drain ends at the latest in `LAST_READ_LIMIT_MILLIS`. */
  #limitWaiting(): void {
    void this.#clock.sleep(LAST_READ_LIMIT_MILLIS, this.#over.signal).then(() => {
      if (this.#delivery.handling === undefined) this.#finishDrained();
    });
  }

  /** Reading ends here and the lease is kept: what follows is a drain or a stop. */
  #halt(error: Error): void {
    if (this.#isOver) return;
    if (this.#state === "draining") {
      this.#finishDrained();
      return;
    }
    this.#state = "halted";
    this.#error = error.message;
    this.#interrupting.abort();
    this.#account.close();
    this.#delivery.report.halted(error, this.#checkpointer.progress);
  }

  #finishEnded(children: readonly Shard[] | undefined): void {
    this.#conclude(() => ({ kind: "ended", children, checkpoint: this.#checkpointer.progress }));
  }

  #finishDrained(): void {
    if (this.#isOver) return;
    if (this.#error === undefined) this.#delivery.report.drained();
    this.#concluding = true;
    this.#interrupting.abort();
    void this.#delivery
      .shutDown()
      .then(() => this.#settle(() => ({ kind: "drained", checkpoint: this.#checkpointer.progress })));
  }

  /** The write under way is waited for, so that the coordinator's next one finds a settled row; it may find the lease lost. */
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
