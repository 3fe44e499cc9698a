/**
 * One call of the user's handler: waits until the heartbeat is fresh, passes a signal and the right to
 * checkpoint, and limits the time. The outcome is a value, never a rejection: the policy decides what to do
 * about a failure (`handler-policy.ts`).
 */
import type { BatchFit } from "../../core/batch-fit.ts";
import type { Checkpoint } from "../../core/lease.ts";
import type { ConsumerRecord } from "../../core/record.ts";
import { settledWithin } from "../settled-within.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { errorOf } from "./handler-errors.ts";
import type { ShardReaderDeps, ShardReaderOptions } from "./reader-options.ts";
import type { ShardActivity } from "./shard-activity.ts";

export type CallOutcome =
  | { readonly kind: "done" }
  /** `hasFinished`: the handler had checkpointed its last record before it failed. */
  | { readonly kind: "failed"; readonly error: Error; readonly hasFinished: boolean }
  /** The lease was lost before the call or during it. */
  | { readonly kind: "stopped" };

/** How long to wait for a handler after its signal aborted, before the shard continues without it. */
export const HANDLER_GRACE_MILLIS = 5_000;

export const positionOf = (record: ConsumerRecord): Checkpoint => ({
  sequenceNumber: record.sequenceNumber,
  subSequenceNumber: record.subSequenceNumber,
});

export interface HandlerCallsDeps {
  readonly deps: ShardReaderDeps;
  readonly options: ShardReaderOptions;
  readonly checkpointer: Checkpointer;
  readonly activity: ShardActivity;
  /** Gets how long each call blocked the event loop. */
  readonly fit: BatchFit | undefined;
  readonly shardId: string;
  /** Aborts when the lease is lost. */
  readonly stopping: AbortSignal;
  /** Aborts when the lease is lost or a drain was requested. */
  readonly interrupted: AbortSignal;
}

export interface HandlerCall {
  /** Not empty. */
  readonly records: readonly ConsumerRecord[];
  readonly millisBehindLatest: number;
  /** From 1. */
  readonly attempt: number;
  /** What the handler checkpoints in this call counts once this resolves. */
  readonly checkpointsAfter?: Promise<void>;
}

export class HandlerCalls {
  readonly #parts: HandlerCallsDeps;

  constructor(parts: HandlerCallsDeps) {
    this.#parts = parts;
  }

  async call(call: HandlerCall): Promise<CallOutcome> {
    const { deps, activity, checkpointer, stopping, interrupted, shardId, options, fit } = this.#parts;
    const { records, millisBehindLatest, attempt } = call;
    activity.enter("waiting", attempt);
    await deps.whenFresh(stopping);
    if (stopping.aborted) return { kind: "stopped" };
    activity.enter("handling", attempt);

    const lost = follower(stopping, "the lease was lost");
    const draining = follower(interrupted, "a hand-over or a stop is wanted");
    const rights = checkpointer.forCall({
      delivered: positionOf(records[records.length - 1]!),
      after: call.checkpointsAfter,
    });
    const input = {
      shardId,
      records,
      millisBehindLatest,
      checkpoint: rights.checkpoint,
      attempt,
      signal: lost.controller.signal,
      draining: draining.controller.signal,
    };
    const span = deps.loop?.callBegins(shardId);
    // An async function, so that a handler that throws before its first await fails like any other.
    const settled = (async () => {
      await options.processRecords(input);
    })().then(
      () => undefined,
      (thrown: unknown) => errorOf(thrown),
    );
    span?.returned();
    const { processTimeoutMillis } = options;
    const error =
      processTimeoutMillis === undefined
        ? await settled
        : await this.#inTime(settled, lost.controller, processTimeoutMillis);
    if (span !== undefined) fit?.called(records.length, span.over());
    lost.leave();
    draining.leave();
    if (stopping.aborted) return { kind: "stopped" };
    if (error === undefined) return { kind: "done" };
    rights.revoke("this call of processRecords has failed");
    return { kind: "failed", error, hasFinished: rights.hasFinished };
  }

  /**
   * A call that timed out has failed, even if it succeeds later. After its signal aborts it gets a grace
   * period, so that its retry does not overlap with it. A handler that ignores the signal may still overlap.
   */
  async #inTime(
    settled: Promise<Error | undefined>,
    attempt: AbortController,
    timeoutMillis: number,
  ): Promise<Error | undefined> {
    const first = await settledWithin(this.#parts.deps.clock, settled, timeoutMillis);
    if (first !== "still running") return first;
    const error = new Error(
      `processRecords did not finish within processTimeoutMillis (${timeoutMillis} ms)`,
    );
    attempt.abort(error);
    const { clock } = this.#parts.deps;
    if ((await settledWithin(clock, settled, HANDLER_GRACE_MILLIS)) === "still running") {
      this.#parts.deps.logger.error(
        { shardId: this.#parts.shardId, graceMillis: HANDLER_GRACE_MILLIS },
        "processRecords timed out and goes on although its signal aborted: it may overlap with the next call",
      );
    }
    return error;
  }
}

/**
 * A signal for one call only: listeners that a handler adds to it are dropped with the call. Call `leave`
 * when the call is over.
 */
function follower(followed: AbortSignal, reason: string) {
  const controller = new AbortController();
  const abort = () => controller.abort(new Error(reason));
  if (followed.aborted) abort();
  else followed.addEventListener("abort", abort, { once: true });
  return { controller, leave: () => followed.removeEventListener("abort", abort) };
}
