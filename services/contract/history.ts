/**
 * The history file: one JSON object a line, written by the producer, the consumers and the lab's sampler, and
 * read by every checker. All `t` are epoch milliseconds of the writer's wall clock.
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
  /** One delivered batch. `readAt`: when its GetRecords was called; `t`: when the handler had finished. `count` 0: a first or a last read that found nothing. */
  | { type: "batch"; t: number; worker: string; shardId: string; count: number; readAt: number }
  | { type: "lease"; t: number; worker: string; leaseKey: string; action: LeaseAction; reason: string }
  | { type: "leases"; t: number; owners: Record<string, string | null>; checkpoints: Record<string, string> }
  | { type: "event"; t: number; name: string; [detail: string]: unknown };

/** What the producer puts into a record's data (JSON): `n` counts up from 1 per key. */
export interface CountedRecord {
  readonly key: string;
  readonly n: number;
}
