/**
 * L12: a synchronous handler is given batches that fit it. Applies where every record blocks the event loop
 * for the same time. After a call that blocked for more than a third of the failover time, a call must block
 * for less or have one record. Two records are allowed once, to find out whether the records are what blocks.
 * More are allowed if each such call has fewer than the one before (once even more): a block counts for all
 * calls in flight, so a call of a few records may have been charged with the block of another shard, and it
 * takes a few calls to correct that.
 */
import { failoverOf } from "../faults/unequal.ts";
import type { SimEvent } from "../world/history.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";

const NOTABLE_PART = 1 / 3;

interface Tenure {
  /** The first call that blocked for long. */
  readonly first: SimEvent;
  hasProbed: boolean;
  /** Number of records in the last call that was too large. */
  tooMany: number;
  /** Whether a call already had more records than the one before, which is allowed once. */
  hasErred: boolean;
}

export function checkFitted({ swarm, events }: Evidence): Verdict {
  const perRecord = swarm.faults.blockedLoops?.millisPerRecord ?? 0;
  if (perRecord === 0) return VALID;
  /** By worker and shard, since the worker last took the lease. */
  const tenures = new Map<string, Tenure>();
  /** By worker: the shard whose handler blocked last. */
  const lastBlocked = new Map<string, string>();
  for (const event of events) {
    // Retries contain the records of several batches. Another owner, or the same one again, starts anew.
    if (event.type === "threw" || event.type === "too-late")
      tenures.delete(`${event.worker} ${event.shardId}`);
    if (event.type === "write" && event.before?.owner !== event.after?.owner)
      for (const key of tenures.keys()) if (key.endsWith(` ${event.leaseKey}`)) tenures.delete(key);
    if (event.type === "write" && event.operation === "claim")
      tenures.delete(`${event.worker} ${event.leaseKey}`);
    if (event.type === "worker")
      for (const key of tenures.keys()) if (key.startsWith(`${event.worker} `)) tenures.delete(key);
    if (event.type !== "trouble" || event.kind !== "blocked-loop") continue;
    const [shardId, records] = event.detail.split(" ");
    const count = Number(records);
    const key = `${event.worker} ${shardId}`;
    const tenure = tenures.get(key);
    // Blocks of two shards that follow each other without a pulse between them cannot be told apart.
    const before = lastBlocked.get(event.worker);
    lastBlocked.set(event.worker, shardId!);
    if (before !== undefined && before !== shardId) continue;
    if (count * perRecord <= NOTABLE_PART * failoverOf(swarm, event.worker)) continue;
    if (tenure === undefined)
      tenures.set(key, { first: event, hasProbed: false, tooMany: count, hasErred: false });
    else if (count === 2 && !tenure.hasProbed) tenure.hasProbed = true;
    else if (count > 1 && (count < tenure.tooMany || !tenure.hasErred)) {
      tenure.hasErred ||= count >= tenure.tooMany;
      tenure.tooMany = count;
    } else if (count > 1)
      return invalid(`L12: ${count} records, although they were seen to block`, tenure.first, event);
  }
  return VALID;
}
