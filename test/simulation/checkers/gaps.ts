/**
 * L5 for planned moves: where nothing fails, a shard that changes its owner is read again within seconds,
 * never only after a failover time. (The experiment measures the gap; this limits it in every interleaving.)
 */
import { isEnded } from "../../../src/core/lease.ts";
import { mayAssign } from "../swarm.ts";
import type { SimEvent } from "../world/history.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";

const JOINS_AGAIN_MILLIS = 5_000;

export function checkGaps({ swarm, events }: Evidence): Verdict {
  if (swarm.profile !== "planned") return VALID;
  const given = new Map<string, SimEvent>();
  /**
   * Workers that crashed, or could not leave before their stop budget was spent. The others may not have
   * noticed yet.
   */
  const crashed = new Set<string>();
  /** Workers whose entries are gone. */
  const left = new Set<string>();
  let disturbedUntil = Number.NEGATIVE_INFINITY;
  const limit = gapLimit(swarm);
  // Where the leader assigns, the leader may be the worker with the fault: its deputy, or the next leader,
  // starts anew.
  const nextLeaderMillis = mayAssign(swarm) ? swarm.failoverTimeMillis : 0;
  for (const event of events) {
    if (event.type === "phase" && event.name === "end") break;
    if (event.type === "write") {
      if (event.after === undefined || isEnded(event.after)) given.delete(event.leaseKey);
      // A worker that crashes again and again first waits until its last process is known to be gone.
      else if (mayCrashAgain(event.after.owner, crashed)) given.delete(event.leaseKey);
      else if (event.operation === "handOver") given.set(event.leaseKey, event);
      // A stop found no worker with room for the lease: L8 limits how long it stays unread.
      else if (event.operation === "release") given.delete(event.leaseKey);
    }
    if (event.type === "outage" || event.type === "trouble")
      disturbedUntil = Math.max(
        disturbedUntil,
        (event.until ?? event.t + swarm.failoverTimeMillis) + nextLeaderMillis,
      );
    // A whole fleet of joiners that could not list the stream becomes active when it can: L8 limits how long
    // that takes.
    if (event.type === "outage" && event.service === "stream")
      disturbedUntil = Math.max(disturbedUntil, event.until + swarm.failoverTimeMillis + JOINS_AGAIN_MILLIS);
    // The crashed worker may be the new owner.
    if (event.type === "trouble" && event.kind === "crash") {
      given.clear();
      crashed.add(event.worker);
    }
    if (event.type === "member" && event.operation === "leave") left.add(event.about);
    if (event.type === "worker" && event.action === "stopped" && !left.has(event.worker))
      crashed.add(event.worker);
    if (event.type === "worker" && event.action === "joined") crashed.delete(event.worker);
    if (event.type === "tampered") disturbedUntil = Math.max(disturbedUntil, event.t + nextLeaderMillis);
    if (event.type === "read") {
      const since = given.get(event.shardId);
      given.delete(event.shardId);
      if (since && event.t - Math.max(since.t, disturbedUntil + AFTER_MILLIS) > limit)
        return invalid(`L5: not read for more than ${limit} ms after a planned move`, since, event);
    }
  }
  return VALID;
}

const mayCrashAgain = (owner: string | undefined, crashed: ReadonlySet<string>): boolean =>
  owner !== undefined && (crashed.has(owner) || owner.startsWith("crasher"));

/** After a fault, what is left of it (backoff, a member that is not active yet) may take this long. */
const AFTER_MILLIS = 5_000;

/**
 * Polls, a scan, the claim and the first read: each is a round trip or two, and some may be queued behind
 * others. A poll may read the row as it was; then the next poll, most of a second later, is the first to
 * notice.
 */
const gapLimit = (swarm: Evidence["swarm"]): number => {
  const { latencyMillis, scanSegments, stalenessMillis } = swarm;
  // A clock was ahead when LATEST was resolved: Kinesis refuses that time, and the reader tries earlier ones.
  const refusedMillis = swarm.wallClocksHoursOff && swarm.initialPosition === "LATEST" ? 1_500 : 0;
  return (
    Math.max(1_500, 1_000 + stalenessMillis) + refusedMillis + latencyMillis.high * 2 * (8 + scanSegments)
  );
};
