/**
 * L9: a healthy worker stays a member, whatever fault hits all workers alike. It is not marked dead and does
 * not join again. Its heartbeats are never late because of its other work. After an outage the fleet does not
 * scan the table again and again. A block of its event loop excuses the worker only if the block is longer
 * than those it has measured before.
 */
import { KnownBlocks } from "../faults/blocked.ts";
import { failoverOf, shortestFailover } from "../faults/unequal.ts";
import { mayAssign, type Swarm } from "../swarm.ts";
import type { SimEvent } from "../world/history.ts";
import { Outages } from "./disturbances.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";
import { isJava, WorkerFaults } from "./worker-faults.ts";

/** The consequences of a worker's own fault may follow this long after it. */
const AFTER_MILLIS = 10_000;
/** A heartbeat in flight, and the one before it. */
const HEARTBEAT_MARGIN_MILLIS = 700;
const STORM_MILLIS = 10_000;
/** Of one worker, within `STORM_MILLIS` of the end of an outage. */
const MAX_SCANS = 10;
/**
 * For each shard that was opened and each worker that came or went, during the outage or shortly before it:
 * the scans that these changes need waited for the end of the outage.
 */
const SCANS_A_CHANGE = 2;
/** Share of all calls. With a larger share, the heartbeats of the observing worker fail as well. */
const PARTIAL_SHARE = 0.5;
const MEMBERSHIP: ReadonlySet<string> = new Set(["join", "markDead", "leave"]);

export function checkCommonMode(evidence: Evidence): Verdict {
  for (const check of [checkMembership, checkHeartbeats, checkStorms]) {
    const verdict = check(evidence);
    if (verdict.kind !== "valid") return verdict;
  }
  return VALID;
}

interface Joined {
  readonly event: SimEvent;
  readonly incarnation: string;
  /**
   * Until its first heartbeat, the answer to its join may have been lost: it does not know that it is a
   * member, and joins again.
   */
  hasSentHeartbeat: boolean;
  heartbeatAt: number;
}

function checkMembership({ swarm, events }: Evidence): Verdict {
  const workerFaults = new WorkerFaults(events);
  const blocks = new KnownBlocks(swarm, events);
  const outages = new Outages(events);
  /** Running workers by their newest incarnation. */
  const joined = new Map<string, Joined>();
  const handMade = new Map<string, number>();
  let allHandMade = Number.NEGATIVE_INFINITY;
  /** Until when a part of all calls of the table fails while the others succeed. */
  let partialUntil = Number.NEGATIVE_INFINITY;
  for (const event of events) {
    if (event.type === "outage" && event.service === "store" && event.share <= PARTIAL_SHARE)
      partialUntil = Math.max(partialUntil, event.until);
    if (event.type === "worker" && event.action !== "joined") joined.delete(event.worker);
    if (event.type === "trouble" && event.kind === "crash") joined.delete(event.worker);
    if (event.type === "tampered" && event.leaseKey === undefined) {
      if (event.about === undefined) allHandMade = event.t;
      else handMade.set(event.about, event.t);
    }
    if (event.type !== "member" || event.member === undefined) continue;
    const { about, operation } = event;
    const { incarnation } = event.member;
    const known = joined.get(about);
    const from = event.t - 3 * failoverOf(swarm, about) - AFTER_MILLIS;
    const isBlock = workerFaults.onlyBlocksBetween(about, from, event.t);
    const excused = isBlock
      ? blocks.excuse(about, event.t)
      : workerFaults.between(about, from, event.t) !== undefined;
    // A joiner that got no answer does not know yet that it is a member.
    const isUnaware =
      known !== undefined && !known.hasSentHeartbeat && outages.between(known.event.t, event.t);
    // Where half of the calls fail, all heartbeats of one worker may fail for a failover time while those of
    // the others succeed.
    const isPartial = event.t <= partialUntil + failoverOf(swarm, about);
    // A heartbeat that also raises the fleet version may be two calls, which take longer than a third of so
    // short a failover time.
    const isTooShort = failoverOf(swarm, about) / 3 < 4 * swarm.latencyMillis.high;
    if (
      operation === "markDead" &&
      known?.incarnation === incarnation &&
      !excused &&
      !isUnaware &&
      !isPartial &&
      !isTooShort
    )
      return invalid("L9: a worker that was well was declared dead", known.event, event);
    // The worker has to join again, whenever it notices.
    if (operation === "markDead" && known?.incarnation === incarnation) joined.delete(about);
    if (operation === "sendHeartbeat" && known?.incarnation === incarnation) {
      known.hasSentHeartbeat = true;
      known.heartbeatAt = event.t;
    }
    if (operation !== "join") continue;
    // A row that was deleted in an outage is noticed when the outage is over.
    const since = Math.min(from, known?.heartbeatAt ?? from);
    const deleted = Math.max(allHandMade, handMade.get(about) ?? Number.NEGATIVE_INFINITY) >= since;
    // While a worker joins, a lost answer makes it try again.
    const again = known !== undefined && known.incarnation !== incarnation;
    const wasUnanswered =
      known !== undefined && !known.hasSentHeartbeat && outages.between(known.event.t, event.t);
    if (again && !excused && !isBlock && !deleted && !wasUnanswered)
      return invalid("L9: a worker that was well joined again", known.event, event);
    joined.set(about, { event, incarnation, hasSentHeartbeat: false, heartbeatAt: event.t });
  }
  return VALID;
}

function checkHeartbeats({ swarm, events }: Evidence): Verdict {
  const workerFaults = new WorkerFaults(events);
  const outages = new Outages(events);
  const last = new Map<string, SimEvent>();
  for (const event of events) {
    if (event.type === "worker" && event.action !== "joined") last.delete(event.worker);
    if (event.type !== "member" || (event.operation !== "sendHeartbeat" && event.operation !== "join"))
      continue;
    const { worker } = event;
    const before = last.get(worker);
    last.set(worker, event);
    if (before === undefined || isJava(worker)) continue;
    const limit = heartbeatLimit(swarm, worker);
    if (event.t - before.t <= limit) continue;
    const excused =
      workerFaults.between(worker, before.t - limit, event.t) ?? outages.between(before.t - limit, event.t);
    if (!excused) return invalid(`L9: heartbeats more than ${limit.toFixed(0)} ms apart`, before, event);
  }
  return VALID;
}

/** Each heartbeat waits for the answer to the one before. */
const heartbeatLimit = (swarm: Swarm, worker: string): number =>
  failoverOf(swarm, worker) / 2 + HEARTBEAT_MARGIN_MILLIS + 4 * swarm.latencyMillis.high;

/** A claim without an answer causes another scan. */
const CLAIM_SCANS = 3;
/** A leader that assigns scans the table at each poll while changes continue. */
const ASSIGNER_SCANS = 5;

function checkStorms({ swarm, events }: Evidence): Verdict {
  const readers = mayAssign(swarm) ? ASSIGNER_SCANS : 1;
  // Each change of a cap changes the plan.
  const changes = swarm.faults.capNoise > 0 ? MAX_SCANS / 2 : 0;
  const claims = swarm.faults.kinds.includes("failing-claims") ? CLAIM_SCANS : 1;
  // Leases of non-member owners are observed, with three scans per failover time, while there are any.
  const watching = swarm.javaShifts.length > 0 ? (3 * STORM_MILLIS) / shortestFailover(swarm) : 0;
  for (const outage of events) {
    if (outage.type !== "outage" || outage.service !== "store") continue;
    const end = outage.until;
    const piledUp = events.filter(
      ({ type, t }) => (type === "shard" || type === "worker") && outage.t - STORM_MILLIS <= t && t <= end,
    );
    let most = readers * claims * (MAX_SCANS + changes + SCANS_A_CHANGE * piledUp.length) + watching;
    const scans = new Map<string, number>();
    for (const event of events) {
      if (event.t < end || event.t > end + STORM_MILLIS) continue;
      // Other events may need scans of their own.
      if (event.type === "outage" || event.type === "tampered") break;
      if (event.type === "worker" || event.type === "shard" || event.type === "trouble") break;
      if (event.type === "member" && MEMBERSHIP.has(event.operation)) most += SCANS_A_CHANGE;
      if (event.type !== "scan") continue;
      const count = (scans.get(event.worker) ?? 0) + 1;
      scans.set(event.worker, count);
      if (count > most)
        return invalid(
          `L9: ${count} scans of one worker within ${STORM_MILLIS} ms of the end of an outage`,
          event,
        );
    }
  }
  return VALID;
}
