/**
 * Measures how long the event loop is blocked or paused: by a synchronous handler, by other code of the
 * process, or because the process is stopped or starved. A pulse is due at a short interval; its delay is the
 * length of the block.
 *
 * Owns: the measurements and their report. Never does: choose batches (`core/batch-fit.ts`) or the published
 * failover time (`core/block-cover.ts`).
 *
 * B1: a block counts as soon as any code runs again, even before the late pulse: promise chains run before
 *     timers.
 * B2: if blocks since the last heartbeat add up to a third of the failover time, a handler is called only
 *     after the next heartbeat is answered (`owesHeartbeat`).
 */

import { BlockCover, isNotable } from "../core/block-cover.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Metrics } from "../ports/metrics.ts";
import { HeldSpans } from "./reader/held-spans.ts";

/** Part of the failover time. */
const PULSE_PART = 1 / 20;
const HEARTBEAT_PART = 1 / 3;
const REMINDER_MILLIS = 300_000;
/** A block this many times as long as those logged is logged at once. */
const MUCH_LONGER = 2;
const RECENT_MILLIS = 60_000;
/** Part of the last minute. */
const OFTEN_PART = 1 / 2;

/** What a shard reader reports about one call of its handler, and gets back. */
export interface HandlerCallSpan {
  /** The handler's function has returned: its synchronous part is over. */
  returned(): void;
  /**
   * The call is over.
   * @returns its longest block of the event loop, without what is known to be another shard's
   */
  over(): number;
}

export interface LoopStatus {
  /** The longest block or pause of the last minute. 0: none was measured. */
  readonly longestBlockMillis: number;
  /** Wall clock, at the end of the last block of a third of the failover time or more. */
  readonly lastBlockedMillis: number | undefined;
  /** What this worker publishes: without a heartbeat for this long, it expires. */
  readonly failoverTimeMillis: number;
}

interface LoopWatchPorts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export class LoopWatch {
  readonly #ports: LoopWatchPorts;
  /** The option `failoverTimeMillis` as the user gave it. */
  readonly optionMillis: number;
  readonly #pulseMillis: number;
  readonly #cover: BlockCover;
  readonly #spans: HeldSpans;
  /** When the next pulse is due (monotonic). Infinite while this worker does not run. */
  #dueMillis = Number.POSITIVE_INFINITY;
  #lastBlockedMillis: number | undefined;
  /** The longest block since the metric was last recorded. */
  #longestMillis = 0;
  #recent: { readonly millis: number; readonly atMillis: number }[] = [];
  #report = { atMillis: Number.NEGATIVE_INFINITY, longestMillis: 0, blocks: 0, longestSinceMillis: 0 };

  constructor(ports: LoopWatchPorts, optionMillis: number) {
    this.#ports = ports;
    this.optionMillis = optionMillis;
    this.#pulseMillis = optionMillis * PULSE_PART;
    this.#cover = new BlockCover(optionMillis);
    this.#spans = new HeldSpans(this.#pulseMillis);
  }

  /** Pulses until `over` aborts. */
  async run(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      this.#dueMillis = this.#now() + this.#pulseMillis;
      await this.#ports.clock.sleep(this.#pulseMillis, over);
      if (!over.aborted) this.#pulse();
    }
    this.#dueMillis = Number.POSITIVE_INFINITY;
  }

  /** The failover time that the next heartbeat publishes. */
  get failoverTimeMillis(): number {
    return this.#cover.publishedMillis(this.#now(), this.#currentMillis);
  }

  /** What this worker's entry publishes. */
  get published() {
    const { failoverTimeMillis } = this;
    return { failoverTimeMillis, covers: this.leastJudgedMillis > 0 };
  }

  /** No other worker expires in less time than this. */
  get leastJudgedMillis(): number {
    return this.#cover.leastJudgedMillis(this.#now(), this.#currentMillis);
  }

  /**
   * B2.
   * @param sentMillis when the last answered heartbeat was sent (monotonic)
   */
  owesHeartbeat(sentMillis: number): boolean {
    const isDue = this.#now() - sentMillis >= HEARTBEAT_PART * this.optionMillis;
    // Short blocks, as on a busy machine, leave enough time for the heartbeat. Only blocks that add up to a
    // long one count.
    return isDue && isNotable(this.blockedSince(sentMillis), this.optionMillis);
  }

  /**
   * How long the event loop was blocked since then.
   * @param sinceMillis monotonic, within the last minute
   */
  blockedSince(sinceMillis: number): number {
    const since = this.#recent.map(({ millis, atMillis }) => Math.min(millis, atMillis - sinceMillis));
    return since.reduce((sum, millis) => sum + Math.max(0, millis), this.#currentMillis);
  }

  callBegins(shardId: string): HandlerCallSpan {
    const call = this.#spans.begin(shardId, this.#now());
    return {
      returned: () => this.#spans.returned(call, this.#now()),
      over: () => {
        const now = this.#now();
        const current = { fromMillis: Math.min(this.#dueMillis, now), toMillis: now };
        return this.#spans.end(call, current);
      },
    };
  }

  /** Records the metric, at every heartbeat interval. */
  measure(): void {
    const longest = Math.max(this.#longestMillis, this.#currentMillis);
    this.#longestMillis = 0;
    const dimensions = { Operation: "Worker" };
    this.#ports.metrics.record("EventLoopBlockedMillis", Math.round(longest), "Milliseconds", dimensions);
  }

  status(): LoopStatus {
    this.#forget();
    const longest = Math.max(0, ...this.#recent.map(({ millis }) => millis));
    return {
      longestBlockMillis: Math.round(longest),
      lastBlockedMillis: this.#lastBlockedMillis,
      failoverTimeMillis: this.failoverTimeMillis,
    };
  }

  /** How long the event loop was blocked in the last minute, if more than half of it; otherwise undefined. */
  get oftenBlockedMillis(): number | undefined {
    this.#forget();
    const millis = this.#recent.reduce((sum, block) => sum + block.millis, 0);
    return millis > OFTEN_PART * RECENT_MILLIS ? millis : undefined;
  }

  #pulse(): void {
    const now = this.#now();
    const millis = now - this.#dueMillis;
    if (millis >= this.#pulseMillis) this.#blocked(millis, now);
    this.#spans.forgetEnded();
  }

  #blocked(millis: number, now: number): void {
    this.#longestMillis = Math.max(this.#longestMillis, millis);
    this.#spans.blocked({ fromMillis: now - millis, toMillis: now });
    this.#recent.push({ millis, atMillis: now });
    this.#forget();
    if (!isNotable(millis, this.optionMillis)) return;
    this.#lastBlockedMillis = this.#ports.clock.wallMillis();
    this.#cover.blocked(millis, now);
    this.#log(millis, now);
  }

  /** At once, then rarely. */
  #log(millis: number, now: number): void {
    const report = this.#report;
    report.blocks += 1;
    report.longestSinceMillis = Math.max(report.longestSinceMillis, millis);
    const isDue = now - report.atMillis >= REMINDER_MILLIS || millis >= MUCH_LONGER * report.longestMillis;
    if (!isDue) return;
    const shards = this.#spans.inBlock;
    const fields = {
      blockedMillis: Math.round(millis),
      failoverTimeMillis: this.optionMillis,
      publishedFailoverTimeMillis: this.failoverTimeMillis,
      blocks: report.blocks,
      longestMillis: Math.round(report.longestSinceMillis),
      shards: shards.slice(0, 5),
      of: shards.length,
    };
    const whose =
      shards.length > 0
        ? "handlers of these shards were under way: fewer records at a time, an await between them, or a worker thread"
        : "no handler was under way: other code of this process, or a process that was stopped or got no CPU";
    this.#ports.logger.warn(
      fields,
      `the event loop was blocked or paused for ${Math.round(millis)} ms, failoverTimeMillis is ${this.optionMillis}: ${whose} (docs/event-loop.md)`,
    );
    this.#report = {
      atMillis: now,
      longestMillis: Math.max(report.longestMillis, millis),
      blocks: 0,
      longestSinceMillis: 0,
    };
  }

  #forget(): void {
    const oldest = this.#now() - RECENT_MILLIS;
    while (this.#recent.length > 0 && this.#recent[0]!.atMillis < oldest) this.#recent.shift();
  }

  /** B1. The block that still lasts, or that has ended without a pulse yet. */
  get #currentMillis(): number {
    return Math.max(0, this.#now() - this.#dueMillis);
  }

  #now(): number {
    return this.#ports.clock.monotonicMillis();
  }
}
