/** A child is not read until all its parents are processed to their end. */
import { Marks } from "../history/marks.ts";
import { type Checker, unknown, type Verdict, Witnesses } from "./checker.ts";

interface Reading {
  /** The GetRecords time of the first batch that held records. */
  firstReadAt: number;
  firstWorker: string;
  lastDoneAt: number;
  lastWorker: string;
}

export function lineage(): Checker {
  const marks = new Marks();
  const readings = new Map<string, Reading>();
  const completed = new Set<string>();
  /**
   * Shards with at least one lease event. A parent without one was trimmed before this application started.
   */
  const leased = new Set<string>();
  let resharded = false;

  return {
    name: "parents before children",
    expected: 0,
    observe(event) {
      if (event.type === "event") {
        marks.observe(event);
        if (event.name === "split-done") resharded = true;
      } else if (event.type === "lease") {
        leased.add(event.leaseKey);
        if (event.action === "completed") completed.add(event.leaseKey);
      } else if (event.type === "leases") {
        for (const [leaseKey, checkpoint] of Object.entries(event.checkpoints)) {
          if (checkpoint === "SHARD_END") completed.add(leaseKey);
        }
      } else if (event.type === "batch" && event.count > 0) {
        const { shardId, readAt, t, worker } = event;
        const reading = readings.get(shardId);
        if (reading === undefined) {
          readings.set(shardId, {
            firstReadAt: readAt,
            firstWorker: worker,
            lastDoneAt: t,
            lastWorker: worker,
          });
          return;
        }
        if (readAt < reading.firstReadAt)
          Object.assign(reading, { firstReadAt: readAt, firstWorker: worker });
        if (t > reading.lastDoneAt) Object.assign(reading, { lastDoneAt: t, lastWorker: worker });
      }
    },
    verdict(): Verdict {
      const relations = Object.entries(marks.parents);
      if (relations.length === 0 && resharded)
        return unknown("a reshard, but no event says which child has which parents");
      const violations = new Witnesses();
      for (const [child, parents] of relations) {
        const reading = readings.get(child);
        if (reading === undefined) continue;
        const about = { t: reading.firstReadAt, shardId: child, worker: reading.firstWorker };
        for (const parent of parents) {
          const before = readings.get(parent);
          const read = `${child}: ${reading.firstWorker} read it at ${reading.firstReadAt}`;
          if (before !== undefined && before.lastDoneAt > reading.firstReadAt) {
            violations.add({
              ...about,
              text: `${read}, while ${before.lastWorker} processed its parent ${parent} until ${before.lastDoneAt}`,
            });
          } else if (leased.has(parent) && !completed.has(parent)) {
            violations.add({ ...about, text: `${read}, but its parent ${parent} was never completed` });
          }
        }
      }
      if (violations.total > 0) return violations.invalid();
      return { kind: "valid", actual: 0, note: `${relations.length} children` };
    },
  };
}
