/**
 * Gets one batch through the handler. Failures are retried until they pass (`failing-batch.ts`). A record is
 * passed over only under "skip" and `deadLetter`: both are the user's choice, and both are reported.
 */
import type { IsolationMemory } from "../../core/isolation.ts";
import type { ConsumerRecord } from "../../core/record.ts";
import { type BatchOutcome, DONE, type HandlerPolicyDeps, INTERRUPTED } from "./batch-outcome.ts";
import { FailingBatch } from "./failing-batch.ts";

export class HandlerPolicy {
  readonly #parts: HandlerPolicyDeps;
  readonly #memory: IsolationMemory = { longestRecovery: 0 };
  #failing: FailingBatch | undefined;

  constructor(parts: HandlerPolicyDeps) {
    this.#parts = parts;
  }

  /** `records` is not empty. */
  async process(records: readonly ConsumerRecord[], millisBehindLatest: number): Promise<BatchOutcome> {
    const { calls, settled } = this.#parts;
    const outcome = await calls.call({ records, millisBehindLatest, attempt: 1 });
    if (outcome.kind === "stopped") return INTERRUPTED;
    if (outcome.kind === "done") {
      this.#memory.longestRecovery = 0;
      settled(records[records.length - 1]!, true);
      return DONE;
    }
    this.#failing = new FailingBatch(this.#parts, this.#memory, records, millisBehindLatest);
    try {
      return await this.#failing.getThrough(outcome.error);
    } finally {
      this.#failing = undefined;
    }
  }

  /** Makes a batch that waits for its next try have it now. False: none waits. */
  resume(): boolean {
    return this.#failing?.resume() ?? false;
  }
}
