/**
 * Gets one batch through the handler. Failures are waited out (failing-batch.ts). A record is passed over in two cases
 * only, both asked for by the user and both reported: "skip" and `deadLetter`.
 */
import type { Clock } from "../../shared/clock.ts";
import type { Random } from "../../shared/random.ts";
import type { IsolationMemory } from "../core/isolation.ts";
import type { ConsumerRecord } from "../core/record.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { ErrorReports } from "./error-reports.ts";
import { FailingBatch } from "./failing-batch.ts";
import type { HandlerCalls } from "./handler-call.ts";
import type { Retry } from "./retry.ts";
import type { ShardActivity } from "./shard-activity.ts";
import type { OnError } from "./shard-reader-options.ts";
import type { ShardReport } from "./shard-reader-report.ts";

export type BatchOutcome =
  | { readonly kind: "done" }
  /**
   * The lease was lost, or a drain came between two tries: the next owner gets what is left. `isAhead`: and later
   * records that were processed ahead of it once more.
   */
  | { readonly kind: "interrupted"; readonly isAhead?: boolean };

export const DONE: BatchOutcome = { kind: "done" };
export const INTERRUPTED: BatchOutcome = { kind: "interrupted" };

export interface HandlerPolicyParts {
  readonly shardId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly reports: ErrorReports;
  readonly report: ShardReport;
  readonly activity: ShardActivity;
  readonly calls: HandlerCalls;
  readonly checkpointer: Checkpointer;
  readonly onError: OnError;
  readonly retry: Retry;
  /** `processed`: by the handler. Else the record was given up. Everything before it is settled too. */
  readonly settled: (last: ConsumerRecord, processed: boolean) => void;
  /** The records read ahead, if there are any: they belong to the batch in the handler from then on. */
  readonly takeAhead: () => readonly ConsumerRecord[];
  /** Aborts when the lease is lost or a drain was asked for: no further tries. */
  readonly interrupted: AbortSignal;
}

export class HandlerPolicy {
  readonly #parts: HandlerPolicyParts;
  readonly #memory: IsolationMemory = { longestRecovery: 0 };
  #failing: FailingBatch | undefined;

  constructor(parts: HandlerPolicyParts) {
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
