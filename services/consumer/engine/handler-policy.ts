/**
 * Gets one batch through the handler: retries with backoff, then `onError`. A record is passed over in two cases
 * only, both asked for by the user and both said aloud: "skip" and `deadLetter`.
 */
import type { Clock } from "../../shared/clock.ts";
import { backoffMillis, type Random } from "../../shared/random.ts";
import { compareCheckpoints } from "../core/lease.ts";
import type { ConsumerRecord } from "../core/record.ts";
import type { Logger } from "../ports/logger.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { errorOf, type HandlerCalls, positionOf } from "./handler-call.ts";
import type { OnError } from "./shard-reader-options.ts";

export type BatchOutcome =
  | { readonly kind: "done" }
  /** Policy "stop", or a dead letter that could not be delivered: the shard must not go on. */
  | { readonly kind: "halt"; readonly error: Error }
  /** The lease was lost, or a drain came between two tries: the next owner gets what is left. */
  | { readonly kind: "interrupted" };

/** A try every 0–0.4, 0–0.8 and 0–1.6 s: bridges a hiccup; what lasts longer is for the policy. */
export const HANDLER_RETRIES = 3;
const RETRY_BASE_MILLIS = 200;

const DONE: BatchOutcome = { kind: "done" };
const INTERRUPTED: BatchOutcome = { kind: "interrupted" };

export interface HandlerPolicyParts {
  readonly shardId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly calls: HandlerCalls;
  readonly checkpointer: Checkpointer;
  readonly onError: OnError;
  /** Auto mode: what the handler finished counts as processed. */
  readonly checkpointsItself: boolean;
  /** Aborts when the lease is lost or a drain was asked for: no further tries. */
  readonly interrupted: AbortSignal;
}

export class HandlerPolicy {
  readonly #parts: HandlerPolicyParts;

  constructor(parts: HandlerPolicyParts) {
    this.#parts = parts;
  }

  async process(records: readonly ConsumerRecord[], millisBehindLatest: number): Promise<BatchOutcome> {
    const { shardId, calls, logger, interrupted, onError } = this.#parts;
    for (let failures = 0; ; ) {
      // What the handler itself checkpointed before it failed is done: a retry starts behind it.
      const rest = failures === 0 ? records : this.#beyondProgress(records);
      const last = rest[rest.length - 1];
      if (last === undefined) return DONE;
      const outcome = await calls.call(rest, millisBehindLatest);
      if (outcome.kind === "stopped") return INTERRUPTED;
      if (outcome.kind === "done") return this.#processed(last);
      failures += 1;
      const fields = { shardId, tries: failures, ...range(rest), error: outcome.error.message };
      logger.warn(fields, "processRecords failed");
      if (failures > HANDLER_RETRIES) {
        return onError === "stop"
          ? { kind: "halt", error: outcome.error }
          : this.#isolate(rest, millisBehindLatest);
      }
      await this.#backoff(failures);
      if (interrupted.aborted) return INTERRUPTED;
    }
  }

  /**
   * Halves a failing batch until the records that fail on their own are found: in order, with at most two calls per
   * record where all fail, and about 2·log2(n) where one does.
   */
  async #isolate(records: readonly ConsumerRecord[], millisBehindLatest: number): Promise<BatchOutcome> {
    const waiting: (readonly ConsumerRecord[])[] = halves(this.#beyondProgress(records));
    const skipped: ConsumerRecord[] = [];
    for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
      const last = part[part.length - 1];
      if (last === undefined) continue;
      if (this.#parts.interrupted.aborted) return this.#leave(skipped, INTERRUPTED);
      const outcome = await this.#parts.calls.call(part, millisBehindLatest);
      if (outcome.kind === "stopped") return this.#leave(skipped, INTERRUPTED);
      if (outcome.kind === "done") {
        this.#logSkipped(skipped);
        this.#processed(last);
        continue;
      }
      const rest = this.#beyondProgress(part);
      if (rest.length > 1) {
        waiting.push(...halves(rest));
        continue;
      }
      if (rest.length === 0) continue;
      const undelivered = await this.#passOver(last, outcome.error, skipped);
      if (undelivered !== undefined) return undelivered;
      this.#processed(last);
    }
    return this.#leave(skipped, DONE);
  }

  /** Undefined: the record is given up, as the user asked. */
  async #passOver(
    record: ConsumerRecord,
    error: Error,
    skipped: ConsumerRecord[],
  ): Promise<BatchOutcome | undefined> {
    const { onError, shardId, logger, interrupted } = this.#parts;
    if (typeof onError === "string") {
      skipped.push(record);
      return undefined;
    }
    for (let failures = 0; ; ) {
      try {
        await onError.deadLetter(record, error);
        logger.error({ shardId, ...range([record]), error: error.message }, "record given to deadLetter");
        return undefined;
      } catch (thrown) {
        failures += 1;
        const problem = errorOf(thrown);
        logger.error(
          { shardId, ...range([record]), tries: failures, error: problem.message },
          "deadLetter failed",
        );
        if (failures > HANDLER_RETRIES) return { kind: "halt", error: problem };
      }
      await this.#backoff(failures);
      if (interrupted.aborted) return INTERRUPTED;
    }
  }

  #leave(skipped: ConsumerRecord[], outcome: BatchOutcome): BatchOutcome {
    this.#logSkipped(skipped);
    return outcome;
  }

  /** One line for neighbours that are skipped together. */
  #logSkipped(skipped: ConsumerRecord[]): void {
    if (skipped.length === 0) return;
    this.#parts.logger.error(
      { shardId: this.#parts.shardId, ...range(skipped) },
      'records skipped (onError "skip")',
    );
    skipped.length = 0;
  }

  #processed(last: ConsumerRecord): BatchOutcome {
    if (this.#parts.checkpointsItself) this.#parts.checkpointer.advance(positionOf(last));
    return DONE;
  }

  #beyondProgress(records: readonly ConsumerRecord[]): readonly ConsumerRecord[] {
    const { progress } = this.#parts.checkpointer;
    const first = records.findIndex((record) => compareCheckpoints(positionOf(record), progress) > 0);
    return first === 0 ? records : first === -1 ? [] : records.slice(first);
  }

  #backoff(failures: number): Promise<void> {
    const { clock, random, interrupted } = this.#parts;
    return clock.sleep(backoffMillis(failures, random, RETRY_BASE_MILLIS), interrupted);
  }
}

/** Last half first: a stack takes from the end. */
function halves(records: readonly ConsumerRecord[]): (readonly ConsumerRecord[])[] {
  const middle = Math.ceil(records.length / 2);
  return [records.slice(middle), records.slice(0, middle)];
}

const range = (records: readonly ConsumerRecord[]): object => ({
  count: records.length,
  from: records[0]?.sequenceNumber,
  fromSub: records[0]?.subSequenceNumber,
  to: records[records.length - 1]?.sequenceNumber,
  toSub: records[records.length - 1]?.subSequenceNumber,
});
