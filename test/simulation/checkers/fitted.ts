/**
 * L12: a synchronous handler is given batches that are fitted to it. Where every record blocks the event loop for as long
 * as the others, a call after one that blocked for more than a third of the failover time blocks for less, or has one
 * record; two only once, to see whether it is the records that block. It may be more, and fewer each time: a block counts
 * for all calls under way, so a call of a few records may have been charged with the block of another shard, and what is
 * made of that takes a few calls to be corrected.
 */
import { failoverOf } from "../faults/unequal.ts";
import type { SimEvent } from "../world/history.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";

const NOTABLE_PART = 1 / 3;

interface Tenure {
  /** The first call that blocked for long. */
  readonly first: SimEvent;
  hasProbed: boolean;
  /** Records of the last call that was too large. */
  tooMany: number;
  /** Once it may also be more than before. */
  hasErred: boolean;
}

export function checkFitted({ swarm, events }: Evidence): Verdict {
  const perRecord = swarm.faults.blockedLoops?.millisPerRecord ?? 0;
  if (perRecord === 0) return VALID;
  /** By worker and shard, since the worker took the lease last. */
  const tenures = new Map<string, Tenure>();
  /** By worker: the shard whose handler blocked last. */
  const lastBlocked = new Map<string, string>();
  for (const event of events) {
    // Retries have the records of several batches; another owner, or the same once more, begins anew.
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
    // Blocks of two shards that follow each other without a pulse between cannot be told apart.
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
