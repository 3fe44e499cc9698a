/**
 * The history file: one JSON object per line. The producer, the consumers and the lab's sampler write it;
 * every checker reads it. Every `t` is in epoch milliseconds of the writer's wall clock.
 */

import type { LeaseAction } from "../../src/index.ts";

export type HistoryEvent =
  | { type: "put"; t: number; key: string; n: number; shardId: string; sequenceNumber: string }
  | {
      type: "record";
      t: number;
      worker: string;
      shardId: string;
      key: string;
      n: number;
      sequenceNumber: string;
    }
  /**
   * One delivered batch. `readAt`: the time of its GetRecords call. `t`: the time its handler finished.
   * `count` 0: a first or final read that found nothing.
   */
  | { type: "batch"; t: number; worker: string; shardId: string; count: number; readAt: number }
  | { type: "lease"; t: number; worker: string; leaseKey: string; action: LeaseAction; reason: string }
  | { type: "leases"; t: number; owners: Record<string, string | null>; checkpoints: Record<string, string> }
  | { type: "event"; t: number; name: string; [detail: string]: unknown };

/** The JSON in a record's data. `n` counts up from 1 per key. */
export interface CountedRecord {
  readonly key: string;
  readonly n: number;
}
