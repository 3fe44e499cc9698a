/**
 * L10: what fails for long is reported: a warning or an error in the log within 30 s. A failure that lasts
 * less than `SHORTEST_MILLIS` may go unreported. What is already reported as failing is not reported again.
 */
import { longestFailover } from "../faults/unequal.ts";
import type { SimEvent } from "../world/history.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";
import { idOf } from "./worker-faults.ts";

const SHORTEST_MILLIS = 15_000;
const WITHIN_MILLIS = 30_000;
/**
 * A read of the stream without an answer fails only after this time: before that, no worker knows of the
 * failure.
 */
const NO_ANSWER_MILLIS = 10_000;
/** A worker with a shard reads at least this often. */
const READS_WITHIN_MILLIS = 12_000;
/** Until the read in flight at the beginning is answered, and the next one is sent. */
const OF_A_ROUND_MILLIS = 2_000;
/** How long the engine waits for an error to pass by itself, from the first failure on. */
const PATIENCE_MILLIS = 5_000;
/** The next successful answer may come this long after an outage. */
const OVER_MILLIS = 15_000;

/**
 * A black hole of the stream is noticed at the first read that is given up. What follows must then last
 * longer than `PATIENCE_MILLIS`.
 */
const shortestOf = (
  { service, how }: Extract<SimEvent, { type: "outage" }>,
  failoverMillis: number,
): number => {
  if (how !== "black-hole" && how !== "mute") return SHORTEST_MILLIS;
  // A scan of the lease table in flight is given up after a failover time at most.
  const noAnswerMillis = service === "stream" ? NO_ANSWER_MILLIS : failoverMillis;
  return Math.max(SHORTEST_MILLIS, noAnswerMillis + PATIENCE_MILLIS + OF_A_ROUND_MILLIS);
};

interface Due {
  readonly event: SimEvent;
  readonly until: number;
  /** Each of these must report; with `any`, one of them. */
  readonly workers: Set<string>;
  readonly any: boolean;
}

export function checkReports({ swarm, events }: Evidence): Verdict {
  const up = new Set<string>();
  const due: Due[] = [];
  /** By service. An outage that begins before the last one is over is the same failure to the engine. */
  const failingUntil = new Map<string, number>();
  let downstream: Extract<SimEvent, { type: "outage" }> | undefined;
  /**
   * Workers whose handler is reported as failing (for example, because of a poison record), and not yet as
   * working again.
   */
  const reported = new Set<string>();
  /** The same for the lease table (for example, because it refuses only this worker). */
  const tableReported = new Set<string>();
  /** By worker. */
  const lastRead = new Map<string, number>();
  /** By lease. */
  const owners = new Map<string, string | undefined>();
  for (const event of events) {
    if (event.type === "write") owners.set(event.leaseKey, event.after?.owner);
    if (event.type === "tampered" && event.leaseKey !== undefined) owners.set(event.leaseKey, event.about);
    if (event.type === "read") lastRead.set(event.worker, event.t);
    for (const entry of due) {
      if (event.t <= entry.until || entry.workers.size === 0) continue;
      const who = entry.any ? "any worker" : [...entry.workers].join(", ");
      return invalid(`L10: not reported within ${WITHIN_MILLIS} ms by ${who}`, entry.event);
    }
    const open = due.filter((entry) => entry.until >= event.t && entry.workers.size > 0);
    due.splice(0, due.length, ...open);
    if (event.type === "worker") {
      if (event.action === "joined") up.add(event.worker);
      else up.delete(event.worker);
      if (event.action === "started") {
        reported.delete(event.worker);
        tableReported.delete(event.worker);
      }
    }
    const isGone =
      event.type === "trouble" &&
      (event.kind === "crash" || event.kind === "pause" || event.kind === "blocked-loop");
    if (isGone) up.delete(event.worker);
    if (isGone || (event.type === "worker" && event.action !== "joined"))
      for (const entry of due) entry.workers.delete(event.worker);
    // A worker that no longer owns the shard has nothing to report.
    if (event.type === "write" && event.before?.owner !== event.after?.owner)
      for (const entry of due)
        if (entry.event.type === "threw" && entry.event.shardId === event.leaseKey)
          entry.workers.delete(event.before?.owner ?? "");
    if (event.type === "log") {
      if (event.message.startsWith("handler fails (")) reported.add(event.worker);
      if (event.message === "handler works again") reported.delete(event.worker);
      if (event.message.startsWith("lease table fails (")) tableReported.add(event.worker);
      if (event.message === "lease table works again") tableReported.delete(event.worker);
      for (const entry of due) {
        // Also a worker that was paused meanwhile, and reads: the others may have no shard by which to
        // notice.
        if (entry.any) entry.workers.clear();
        else entry.workers.delete(event.worker);
      }
    }
    const follows = event.type === "outage" && event.t <= (failingUntil.get(event.service) ?? -Infinity);
    if (event.type === "outage")
      failingUntil.set(
        event.service,
        Math.max(event.until, failingUntil.get(event.service) ?? 0) + OVER_MILLIS,
      );
    if (event.type === "outage" && event.service === "downstream" && !follows) downstream = event;
    // Only a worker whose handler is called can notice. A worker that has reported it repeats that only after
    // minutes.
    if (event.type === "threw" && downstream !== undefined && !reported.has(event.worker)) {
      const until = Math.min(downstream.until, event.t + WITHIN_MILLIS);
      if (until - event.t >= SHORTEST_MILLIS)
        due.push({ event, until, workers: new Set([event.worker]), any: false });
      downstream = undefined;
    }
    const isSeen = event.type === "outage" && event.share === 1 && event.service !== "downstream" && !follows;
    // Without the table no worker may read for long, and a worker that does not read does not notice what the
    // stream has.
    const tableUntil = failingUntil.get("store") ?? 0;
    const seenFrom = isSeen && event.service === "stream" ? Math.max(event.t, tableUntil) : event.t;
    if (isSeen && event.until - seenFrom >= shortestOf(event, longestFailover(swarm))) {
      const until = Math.min(event.until, seenFrom + WITHIN_MILLIS) + swarm.timeoutMillis;
      const isKnown = (worker: string) => event.service === "store" && tableReported.has(worker);
      const workers = new Set([...up].filter((worker) => !isKnown(worker)));
      due.push({ event, until, workers, any: event.service !== "store" });
    }
    if (
      event.type === "trouble" &&
      event.kind === "partition" &&
      (event.until ?? 0) - event.t >= SHORTEST_MILLIS
    ) {
      const until = Math.min(event.until ?? 0, event.t + WITHIN_MILLIS) + swarm.timeoutMillis;
      // A worker without a shard does not call the stream, and has nothing to report.
      const asks =
        event.detail !== "stream" ||
        (event.t - (lastRead.get(event.worker) ?? -Infinity) <= READS_WITHIN_MILLIS &&
          [...owners.values()].includes(idOf(event.worker)));
      const isKnown = event.detail !== "stream" && tableReported.has(event.worker);
      const workers = new Set(up.has(event.worker) && asks && !isKnown ? [event.worker] : []);
      due.push({ event, until, workers, any: false });
    }
  }
  return VALID;
}
