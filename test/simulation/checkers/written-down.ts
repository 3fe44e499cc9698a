/**
 * L2: with `checkpointIntervalMillis: 0`, a checkpoint that the handler has waited for is in the lease row,
 * while the worker has the lease. The contract has two exceptions: a record before it is not finished yet
 * (the handler was given this one ahead), or the hand-over of a drain carries the checkpoint.
 */
import { compareCheckpoints, type Lease } from "../../../src/core/lease.ts";
import type { SimEvent } from "../world/history.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";
import { idOf } from "./worker-faults.ts";

type Told = Extract<SimEvent, { type: "told-written" }>;

const at = (sequenceNumber: string) => ({ sequenceNumber, subSequenceNumber: 0 });

export function checkWrittenDown({ events }: Evidence): Verdict {
  const rows = new Map<string, Lease>();
  const puts = new Map<string, string[]>();
  const handled = new Set<string>();
  /**
   * By shard: reported as written, and not in the row. At the next report it must be there, or the lease
   * gone.
   */
  const owed = new Map<string, Told>();
  for (const event of events) {
    if (event.type === "put") {
      const known = puts.get(event.shardId);
      if (known) known.push(event.sequenceNumber);
      else puts.set(event.shardId, [event.sequenceNumber]);
    }
    if (event.type === "handled") for (const number of event.sequenceNumbers) handled.add(number);
    if (event.type === "tampered" && event.leaseKey !== undefined) rows.delete(event.leaseKey);
    if (event.type === "write" && event.after === undefined) rows.delete(event.leaseKey);
    if (event.type === "write" && event.after !== undefined) {
      rows.set(event.leaseKey, event.after);
      owed.delete(event.leaseKey);
    }
    if (event.type !== "told-written") continue;
    const row = rows.get(event.shardId);
    if (row?.owner !== idOf(event.worker)) continue;
    if (compareCheckpoints(at(event.sequenceNumber), row.checkpoint) <= 0) continue;
    const isAhead = (puts.get(event.shardId) ?? []).some(
      (number) =>
        !handled.has(number) &&
        compareCheckpoints(at(number), at(event.sequenceNumber)) < 0 &&
        compareCheckpoints(at(number), row.checkpoint) > 0,
    );
    if (isAhead) continue;
    const before = owed.get(event.shardId);
    // The end of a drain, or a lost lease, answers all waiting calls at one moment.
    if (before !== undefined && before.worker === event.worker && before.t < event.t)
      return invalid("L2: the handler was told of a checkpoint that is not written", before, event);
    owed.set(event.shardId, event);
  }
  return VALID;
}
