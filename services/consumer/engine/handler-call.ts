/**
 * One call of the user's handler: waits for the gate, gives it a signal and the right to checkpoint, watches its time.
 * The answer is a value, never a rejection: what to do about a failure is the policy's business (handler-policy.ts).
 */
import type { Checkpoint } from "../core/lease.ts";
import type { ConsumerRecord } from "../core/record.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { ShardReaderDependencies, ShardReaderOptions } from "./shard-reader-options.ts";

export type CallOutcome =
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly error: Error }
  /** The lease was lost before or during the call. */
  | { readonly kind: "stopped" };

/** How long a handler is waited for after its signal aborted, before the shard goes on without it. */
export const HANDLER_GRACE_MILLIS = 5_000;

export const positionOf = (record: ConsumerRecord): Checkpoint => ({
  sequenceNumber: record.sequenceNumber,
  subSequenceNumber: record.subSequenceNumber,
});

export const errorOf = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(`not an Error was thrown: ${String(thrown)}`);

export class HandlerCalls {
  readonly #dependencies: ShardReaderDependencies;
  readonly #options: ShardReaderOptions;
  readonly #checkpointer: Checkpointer;
  readonly #shardId: string;
  /** Aborts when the lease is lost. */
  readonly #stopping: AbortSignal;

  constructor(
    dependencies: ShardReaderDependencies,
    options: ShardReaderOptions,
    checkpointer: Checkpointer,
    shardId: string,
    stopping: AbortSignal,
  ) {
    this.#dependencies = dependencies;
    this.#options = options;
    this.#checkpointer = checkpointer;
    this.#shardId = shardId;
    this.#stopping = stopping;
  }

  /** `records` is not empty. */
  async call(records: readonly ConsumerRecord[], millisBehindLatest: number): Promise<CallOutcome> {
    await this.#dependencies.whenFresh(this.#stopping);
    if (this.#stopping.aborted) return { kind: "stopped" };

    const attempt = new AbortController();
    const abort = () => attempt.abort(new Error("the lease was lost"));
    this.#stopping.addEventListener("abort", abort, { once: true });
    const rights = this.#checkpointer.forCall(positionOf(records[records.length - 1]!));
    // An async function, so that a handler that throws before its first await fails like any other.
    const handle = async () => {
      const { signal } = attempt;
      const input = {
        shardId: this.#shardId,
        records,
        millisBehindLatest,
        checkpoint: rights.checkpoint,
        signal,
      };
      await this.#options.processRecords(input);
    };
    const settled = handle().then(
      () => undefined,
      (thrown: unknown) => errorOf(thrown),
    );
    const { processTimeoutMillis } = this.#options;
    const error =
      processTimeoutMillis === undefined
        ? await settled
        : await this.#inTime(settled, attempt, processTimeoutMillis);
    this.#stopping.removeEventListener("abort", abort);
    if (this.#stopping.aborted) return { kind: "stopped" };
    if (error === undefined) return { kind: "done" };
    rights.revoke("this call of processRecords has failed");
    return { kind: "failed", error };
  }

  /**
   * A call that ran out of time has failed, even if it ends well afterwards. It gets a grace to end after its signal
   * aborted, so that its retry does not overlap with it; one that ignores the signal may.
   */
  async #inTime(
    settled: Promise<Error | undefined>,
    attempt: AbortController,
    timeoutMillis: number,
  ): Promise<Error | undefined> {
    const first = await this.#waitAtMost(settled, timeoutMillis);
    if (first !== "still running") return first;
    const error = new Error(
      `processRecords did not finish within processTimeoutMillis (${timeoutMillis} ms)`,
    );
    attempt.abort(error);
    if ((await this.#waitAtMost(settled, HANDLER_GRACE_MILLIS)) === "still running") {
      this.#dependencies.logger.error(
        { shardId: this.#shardId, graceMillis: HANDLER_GRACE_MILLIS },
        "processRecords timed out and goes on although its signal aborted: it may overlap with the next call",
      );
    }
    return error;
  }

  async #waitAtMost<T>(promise: Promise<T>, millis: number): Promise<T | "still running"> {
    const timer = new AbortController();
    const timeout = this.#dependencies.clock
      .sleep(millis, timer.signal)
      .then((): "still running" => "still running");
    const first = await Promise.race([promise, timeout]);
    timer.abort();
    return first;
  }
}
