/**
 * L1: one holder per fence. A lease row is written only by its owner, one counter at a time. An owned lease
 * is taken only from an owner that is gone or had a fault. No worker is marked dead whose heartbeat moved
 * within the failover time. No worker reads a shard that it does not own, except a worker with a fault that
 * has not noticed its loss yet. Java workers steal from running workers, and leases are taken from them once
 * they have been observed for the failover time.
 */

import { failoverOf, longestFailover, shortestFailover } from "../faults/unequal.ts";
import { mayAssign } from "../swarm.ts";
import type { SimEvent } from "../world/history.ts";
import { Outages, Tampered } from "./disturbances.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";
import { idOf, isJava, WorkerFaults } from "./worker-faults.ts";

const FENCED: ReadonlySet<string> = new Set(["renew", "checkpoint", "handOver", "release", "complete"]);
/** Each drawn clock is at most 3 % off. */
const CLOCK_ERROR = 0.07;

interface Loss {
  readonly event: SimEvent;
  readonly itself: boolean;
  /**
   * When the former owner's handler first finished records after the loss: from then on there is something to
   * checkpoint.
   */
  finishedAt?: number;
}

/** Of the failover time, clock errors included (`core/untaken.ts`). */
const RESCUE_PART = 0.45;

export function checkFence({ swarm, events }: Evidence): Verdict {
  const workerFaults = new WorkerFaults(events);
  const tampered = new Tampered(events);
  const outages = new Outages(events);
  const failover = longestFailover(swarm);
  const lastSign = new Map<string, SimEvent>();
  /** By entry: a worker that joined again on another fleet row leaves its dead entry behind. */
  const lastHeartbeat = new Map<string, SimEvent>();
  const lastWrite = new Map<string, SimEvent>();
  /**
   * When a worker was last marked dead, rightly (checked below). Leases in its name from before that are
   * free.
   */
  const dead = new Map<string, number>();
  /**
   * Since when a lease is a Java worker's. Only for leases that were unowned or a living member's before;
   * others were observed already.
   */
  const nonMemberSince = new Map<string, SimEvent>();
  const owned = new Map<string, { owner: string | undefined; since: SimEvent }>();
  /**
   * `worker/lease` → the event with which the worker lost it, and whether the worker itself handed it over.
   */
  const lost = new Map<string, Loss>();
  let entriesRemovedAt = Number.NEGATIVE_INFINITY;

  for (const event of events) {
    if (event.type === "member" && (event.operation === "join" || event.operation === "sendHeartbeat")) {
      // A heartbeat that an SDK sent twice counts once: the second moved nothing that a worker could notice.
      const before = lastSign.get(event.about);
      const moved =
        before?.type !== "member" ||
        before.member?.incarnation !== event.member?.incarnation ||
        before.member?.heartbeat !== event.member?.heartbeat;
      if (moved) lastSign.set(event.about, event);
      if (moved) lastHeartbeat.set(`${event.about} ${event.member?.incarnation}`, event);
    }
    if (event.type === "member" && event.operation === "markDead") {
      dead.set(event.about, event.t);
      const sign = lastHeartbeat.get(`${event.about} ${event.member?.incarnation}`);
      const published = sign?.type === "member" ? sign.member?.failoverTimeMillis : undefined;
      const failoverTimeMillis = Math.max(published ?? 0, failoverOf(swarm, event.about));
      if (sign && event.t - sign.t < failoverTimeMillis * (1 - CLOCK_ERROR) - 1)
        return invalid(
          "L1: declared dead within the failover time that its last heartbeat bore",
          sign,
          event,
        );
    }
    if (event.type === "tampered" && event.leaseKey === undefined) entriesRemovedAt = event.t;
    if (event.type === "tampered" && event.leaseKey !== undefined) {
      const { leaseKey } = event;
      const was = owned.get(leaseKey)?.owner;
      const owner = event.what === "deleted" ? undefined : event.what.startsWith("owner") ? event.about : was;
      if (was !== owner) {
        if (was !== undefined) lost.set(`${was}/${leaseKey}`, { event, itself: false });
        owned.set(leaseKey, { owner, since: event });
      }
    }
    if (event.type === "write") {
      const { before, after, operation, leaseKey } = event;
      const worker = idOf(event.worker);
      if (before && after && after.counter !== before.counter + 1)
        return invalid("L1: the counter did not move by one", lastWrite.get(leaseKey), event);
      if (before && FENCED.has(operation) && before.owner !== worker)
        return invalid("L1: written by somebody who does not own it", lastWrite.get(leaseKey), event);
      const from = before?.owner;
      if (
        operation === "claim" &&
        from !== undefined &&
        from !== worker &&
        !isJava(worker) &&
        !isJava(from) &&
        !tampered.between(leaseKey, event.t - 3 * failover - 10_000, event.t)
      ) {
        const sign = lastSign.get(from);
        const unseen = sign ?? lastWrite.get(leaseKey);
        const quietFor = event.t - Math.max(unseen?.t ?? 0, 0);
        const excuse = workerFaults.between(from, event.t - 3 * failover - 10_000, event.t);
        // A worker that has left the rows reads nothing more, although its stop may still be in progress.
        const away = events.find(
          (e) =>
            e.t < event.t &&
            ((e.type === "worker" && e.worker === from && e.action === "stopped") ||
              (e.type === "member" && e.operation === "leave" && e.about === from)),
        );
        const isOfTheDead = (lastWrite.get(leaseKey)?.t ?? 0) < (dead.get(from) ?? 0);
        // An entry that is removed by hand while its worker leaves cannot be told from one that has left.
        const isTakenForLeft =
          sign?.type === "member" &&
          sign.member?.state === "leaving" &&
          entriesRemovedAt >= Math.min(sign.t, event.t - failover);
        // The donor notifies the new owner after the hand-over. A new owner that was not notified, or that
        // cannot claim because of an outage, has not taken the lease up.
        const given = lastWrite.get(leaseKey);
        const isUntold =
          given?.type === "write" &&
          given.operation === "handOver" &&
          (workerFaults.between(given.worker, given.t, event.t) !== undefined ||
            outages.between(given.t, event.t));
        // A pending lease that its new owner does not take up in time goes to the next worker in line. It is
        // unread meanwhile.
        const isRescue =
          before?.isPending === true &&
          (event.t - (given?.t ?? event.t) >= RESCUE_PART * failoverOf(swarm, worker) ||
            entriesRemovedAt >= event.t - 3 * failover);
        if (sign && !excuse && !away && !isOfTheDead && !isTakenForLeft && !isUntold && !isRescue)
          return invalid("L1: claimed from an owner that was well", sign, event);
        // Where the leader assigns, it has judged the owner, by its own failover time.
        const judgedBy = mayAssign(swarm) ? shortestFailover(swarm) : failoverOf(swarm, worker);
        if (!sign && quietFor < judgedBy * (1 - CLOCK_ERROR) - 1)
          return invalid("L1: claimed from an unknown owner within the failover time", unseen, event);
      }
      if (operation === "claim" && isJava(from) && !isJava(worker)) {
        const since = nonMemberSince.get(leaseKey);
        if (since && event.t - since.t < failoverOf(swarm, worker) * (1 - CLOCK_ERROR) - 1)
          return invalid("L1: taken from a Java worker within the failover time", since, event);
      }
      if (!isJava(after?.owner)) nonMemberSince.delete(leaseKey);
      else if (from === undefined || event.t - (lastSign.get(from)?.t ?? -Infinity) < failover)
        nonMemberSince.set(leaseKey, event);
      lastWrite.set(leaseKey, event);
      const was = owned.get(leaseKey)?.owner ?? before?.owner;
      if (was !== after?.owner) {
        if (was !== undefined) lost.set(`${was}/${leaseKey}`, { event, itself: was === worker });
        if (after?.owner !== undefined) lost.delete(`${after.owner}/${leaseKey}`);
        owned.set(leaseKey, { owner: after?.owner, since: event });
      }
    }
    if (event.type === "handled") {
      const loss = lost.get(`${idOf(event.worker)}/${event.shardId}`);
      if (loss !== undefined) loss.finishedAt ??= event.t;
    }
    if (event.type === "read") {
      const { shardId } = event;
      const worker = idOf(event.worker);
      if (owned.get(shardId)?.owner === worker) continue;
      const loss = lost.get(`${worker}/${shardId}`);
      if (loss === undefined)
        return invalid("L1: read by a worker that never owned the lease", owned.get(shardId)?.since, event);
      // The request was sent while the worker owned the lease. Its answer is now dropped (L4 would find it
      // handled).
      if (event.sentAt <= loss.event.t) continue;
      // In an outage no worker notices anything.
      const healthySince = Math.max(workerFaults.lastEnd(worker, event.t) ?? 0, outages.lastEnd(event.t));
      // A row that is edited by hand does not move the fleet version. Its owner notices the edit at its next
      // write of the row. As long as there is nothing to checkpoint, there is nothing to do wrong either.
      const wasEdited = loss.event.type === "tampered" || tampered.between(shardId, 0, event.t);
      if (wasEdited && loss.finishedAt === undefined) continue;
      const writes =
        swarm.checkpointMode === "auto" ? swarm.checkpointIntervalMillis : Number.POSITIVE_INFINITY;
      const heardAt = loss.finishedAt === undefined ? loss.event.t : loss.finishedAt + writes;
      const allowedUntil = Math.max(heardAt, healthySince) + failover + 5_000;
      const stolen = loss.event.type === "write" && (isJava(loss.event.worker) || isJava(worker));
      const since = loss.event.t - 3 * failover - 10_000;
      // A worker whose entry was removed by hand may be taken for one that has left.
      const hasFault =
        tampered.between(shardId, since, event.t) ||
        entriesRemovedAt >= since ||
        // A worker that was paused before an outage notices its loss after it.
        outages.between(since, event.t) ||
        workerFaults.between(worker, since, event.t) !== undefined;
      const excused = !loss.itself && (stolen || hasFault);
      if (!excused || event.t > allowedUntil)
        return invalid("L1: read after the lease was lost", loss.event, event);
    }
  }
  return VALID;
}
