/**
 * L10: what fails for long is reported: a warning or an error in the log within 30 s. A trouble that lasts less than
 * `SHORTEST_MILLIS` may pass in silence.
 */
import type { SimEvent } from "../world/history.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";

const SHORTEST_MILLIS = 15_000;
const WITHIN_MILLIS = 30_000;
/** The next answer that is well may come so long after an outage. */
const OVER_MILLIS = 15_000;

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
  /** By service. What begins before the last is over is the same trouble to the engine. */
  const troubledUntil = new Map<string, number>();
  let downstream: Extract<SimEvent, { type: "outage" }> | undefined;
  for (const event of events) {
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
    }
    const isGone =
      event.type === "trouble" &&
      (event.kind === "crash" || event.kind === "pause" || event.kind === "blocked-loop");
    if (isGone) up.delete(event.worker);
    if (isGone || (event.type === "worker" && event.action !== "joined"))
      for (const entry of due) entry.workers.delete(event.worker);
    if (event.type === "log") {
      for (const entry of due) {
        // Also one that was paused meanwhile, and reads: the others may have no shard to find it out with.
        if (entry.any) entry.workers.clear();
        else entry.workers.delete(event.worker);
      }
    }
    const follows = event.type === "outage" && event.t <= (troubledUntil.get(event.service) ?? -Infinity);
    if (event.type === "outage")
      troubledUntil.set(
        event.service,
        Math.max(event.until, troubledUntil.get(event.service) ?? 0) + OVER_MILLIS,
      );
    if (event.type === "outage" && event.service === "downstream" && !follows) downstream = event;
    if (event.type === "threw" && downstream !== undefined) {
      // Only a worker whose handler is called can know.
      const until = Math.min(downstream.until, event.t + WITHIN_MILLIS);
      if (until - event.t >= SHORTEST_MILLIS)
        due.push({ event, until, workers: new Set([event.worker]), any: false });
      downstream = undefined;
    }
    const isSeen = event.type === "outage" && event.share === 1 && event.service !== "downstream" && !follows;
    if (isSeen && event.until - event.t >= SHORTEST_MILLIS) {
      const until = Math.min(event.until, event.t + WITHIN_MILLIS) + swarm.timeoutMillis;
      due.push({ event, until, workers: new Set(up), any: event.service !== "store" });
    }
    if (
      event.type === "trouble" &&
      event.kind === "partition" &&
      (event.until ?? 0) - event.t >= SHORTEST_MILLIS
    ) {
      const until = Math.min(event.until ?? 0, event.t + WITHIN_MILLIS) + swarm.timeoutMillis;
      const workers = new Set(up.has(event.worker) ? [event.worker] : []);
      due.push({ event, until, workers, any: false });
    }
  }
  return VALID;
}
