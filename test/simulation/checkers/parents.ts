/**
 * L3: a child is not read before all its parents are at SHARD_END. A parent that was trimmed before any
 * worker leased it blocks no child.
 */
import { isEnded } from "../../../src/core/lease.ts";
import type { SimEvent } from "../world/history.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";

export function checkParents({ events, swarm }: Evidence): Verdict {
  const parents = new Map<string, readonly string[]>();
  const openings = new Map<string, SimEvent>();
  const done = new Set<string>();
  const leased = new Set<string>();
  /** Nothing in the table shows any more that their children must wait. */
  const deletedByHand = new Set<string>();
  for (const event of events) {
    if (event.type === "shard" && event.action === "opened") {
      parents.set(event.shardId, event.parents);
      openings.set(event.shardId, event);
    }
    if (event.type === "shard" && event.action === "trimmed") done.add(event.shardId);
    if (event.type === "tampered" && event.what === "deleted") deletedByHand.add(event.leaseKey ?? "");
    if (event.type === "write" && event.after !== undefined) {
      deletedByHand.delete(event.leaseKey);
      leased.add(event.leaseKey);
      if (isEnded(event.after)) done.add(event.leaseKey);
    }
    if (event.type === "read" || event.type === "handled") {
      for (const parent of parents.get(event.shardId) ?? []) {
        // With LATEST or a time, shards that were closed before it are not read at all.
        const skipped = swarm.initialPosition !== "TRIM_HORIZON" && !leased.has(parent);
        if (!done.has(parent) && !skipped && !deletedByHand.has(parent))
          return invalid(
            `L3: read before its parent ${parent} was at SHARD_END`,
            openings.get(event.shardId),
            event,
          );
      }
    }
  }
  return VALID;
}
