/**
 * Gets one batch through the handler. Failures are waited out (failing-batch.ts). A record is passed over in two cases
 * only, both asked for by the user and both reported: "skip" and `deadLetter`.
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

  /** A batch that waits for its next try has it now. False: none waits. */
  resume(): boolean {
    return this.#failing?.resume() ?? false;
  }
}
