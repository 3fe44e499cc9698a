/**
 * How the handling of a batch ends, and what it needs. A record is *settled* when it is processed or given
 * up.
 */

import type { ConsumerRecord } from "../../core/record.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/logger.ts";
import type { Random } from "../../ports/random.ts";
import type { ErrorReports } from "../error-reports.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { HandlerCalls } from "./handler-call.ts";
import type { OnError } from "./reader-options.ts";
import type { ShardReport } from "./reader-report.ts";
import type { Retry } from "./retry.ts";
import type { ShardActivity } from "./shard-activity.ts";

export type BatchOutcome =
  | { readonly kind: "done" }
  /**
   * The lease was lost, or a drain came between two tries: the next owner gets what is left. `isAhead`: the
   * next owner also gets later records again that were processed ahead of it.
   */
  | { readonly kind: "interrupted"; readonly isAhead?: boolean };

export const DONE: BatchOutcome = { kind: "done" };
export const INTERRUPTED: BatchOutcome = { kind: "interrupted" };

export interface HandlerPolicyDeps {
  readonly shardId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly reports: ErrorReports;
  readonly report: ShardReport;
  readonly activity: ShardActivity;
  readonly calls: HandlerCalls;
  readonly checkpointer: Checkpointer;
  readonly onError: OnError;
  readonly retry: Retry;
  /** Limit for the next call, from how long earlier calls have blocked the event loop. */
  readonly mostRecords: () => number;
  /** A `deadLetter` call that takes longer has failed: its result may have been lost. */
  readonly deadLetterLimitMillis: number;
  /**
   * Everything up to `last` is settled. `processed`: the handler processed it. Otherwise the record was given
   * up.
   */
  readonly settled: (last: ConsumerRecord, processed: boolean) => void;
  /** The records read ahead, if any. They belong to the batch in the handler from then on. */
  readonly takeAhead: () => readonly ConsumerRecord[];
  /** Aborts when the lease is lost or a drain was requested: no further tries. */
  readonly interrupted: AbortSignal;
}
