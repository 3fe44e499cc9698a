/**
 * What a shard reader is doing and since when, and a warning when that takes long: once after
 * `logWarningForTaskAfterMillis` (KCL's name), then rarely, with a metric while it lasts.
 */
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/logger.ts";
import type { Metrics } from "../../ports/metrics.ts";

export type ActivityKind =
  /** Fetching records, or waiting for the next read. */
  | "reading"
  /**
   * A batch waits for a fresh heartbeat of this worker; or the end of the shard waits for its last
   * checkpoint.
   */
  | "waiting"
  /** A call of the handler (or of `deadLetter`) is in progress. */
  | "handling"
  /** The handler has failed, and the next try waits. */
  | "retrying"
  /** `shutdownRequested` or `shardEnded` is in progress. */
  | "hook"
  /** A hand-over or a stop waits for what is in flight. */
  | "draining"
  | "halted";

export interface Activity {
  readonly kind: ActivityKind;
  /** Wall clock, epoch milliseconds. */
  readonly sinceMillis: number;
  /** Of the handler call, or of the pause before it: 1 for the first try. */
  readonly attempt: number | undefined;
}

export const DEFAULT_LOG_WARNING_MILLIS = 30_000;
const REMINDER_MILLIS = 300_000;
/** Short enough for a metric with an alarm by the minute. */
const MAX_CHECK_INTERVAL_MILLIS = 15_000;

/**
 * Which activities cause a warning, and what to do. Reading, retrying and halted shards have reports of their
 * own.
 */
const LONG: Partial<Record<ActivityKind, string>> = {
  waiting:
    "the shard waits: for this worker's own heartbeat, or, at its end, for the checkpoint of its last record (with manual checkpoints: call checkpoint in shardEnded)",
  handling:
    "the handler (processRecords, or deadLetter) has been running for long: is what it waits for answering? processTimeoutMillis bounds it",
  hook: "a hook has been running for long: is what it waits for answering?",
  draining:
    "a hand-over has been waiting for long for the handler to finish what it has: heed the draining signal",
};

interface Span {
  readonly kind: ActivityKind;
  readonly sinceMillis: number;
  readonly sinceWallMillis: number;
  readonly attempt: number | undefined;
}

export class ShardActivity {
  readonly #ports: { readonly clock: Clock; readonly logger: Logger; readonly metrics: Metrics };
  readonly #shardId: string;
  readonly #warnAfterMillis: number;
  #span: Span;
  #draining: Span | undefined;
  #warned: { readonly span: Span; readonly atMillis: number } | undefined;

  constructor(
    ports: { readonly clock: Clock; readonly logger: Logger; readonly metrics: Metrics },
    shardId: string,
    warnAfterMillis: number,
  ) {
    this.#ports = ports;
    this.#shardId = shardId;
    this.#warnAfterMillis = warnAfterMillis;
    this.#span = this.#begin("reading", undefined);
  }

  get current(): Activity {
    const { kind, sinceWallMillis } = this.#shown;
    return { kind, sinceMillis: sinceWallMillis, attempt: this.#span.attempt };
  }

  enter(kind: ActivityKind, attempt?: number): void {
    if (kind === "draining") this.#draining = this.#begin(kind, undefined);
    else this.#span = this.#begin(kind, attempt);
  }

  /** Checks the time until `over` aborts. A warning comes when it is due, not at the next check. */
  async poller(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await this.#ports.clock.sleep(this.#untilCheckMillis(), over);
      if (!over.aborted) this.#check();
    }
  }

  /**
   * During a drain, the drain is shown, because an operator waits for it. A hook in a drain is shown by its
   * own name.
   */
  get #shown(): Span {
    return this.#draining !== undefined && this.#span.kind !== "hook" ? this.#draining : this.#span;
  }

  /** A drain waits for what was in progress before it, so that time counts too. */
  get #longSinceMillis(): number {
    const counted = LONG[this.#span.kind] !== undefined ? [this.#span, this.#shown] : [this.#shown];
    return Math.min(...counted.map(({ sinceMillis }) => sinceMillis));
  }

  /**
   * The pause is at most half of the warning time, so what begins during the pause is due only after its end.
   */
  #untilCheckMillis(): number {
    const intervalMillis = Math.min(MAX_CHECK_INTERVAL_MILLIS, this.#warnAfterMillis / 2);
    const now = this.#ports.clock.monotonicMillis();
    const dueInMillis = this.#longSinceMillis + this.#warnAfterMillis - now;
    return dueInMillis > 0 ? Math.min(intervalMillis, dueInMillis) : intervalMillis;
  }

  #check(): void {
    const { clock, logger, metrics } = this.#ports;
    const span = this.#shown;
    const problem = LONG[span.kind];
    const now = clock.monotonicMillis();
    const runningMillis = Math.round(now - this.#longSinceMillis);
    if (problem === undefined || runningMillis < this.#warnAfterMillis) return;
    metrics.record("LongRunningTask.Time", runningMillis, "Milliseconds", { Operation: "ProcessTask" });
    const warnedAgo = this.#warned?.span === span ? now - this.#warned.atMillis : Number.POSITIVE_INFINITY;
    if (warnedAgo < REMINDER_MILLIS) return;
    this.#warned = { span, atMillis: now };
    const { attempt } = this.#span;
    logger.warn({ shardId: this.#shardId, activity: span.kind, runningMillis, attempt }, problem);
  }

  #begin(kind: ActivityKind, attempt: number | undefined): Span {
    const { clock } = this.#ports;
    return { kind, sinceMillis: clock.monotonicMillis(), sinceWallMillis: clock.wallMillis(), attempt };
  }
}
