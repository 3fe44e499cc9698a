/**
 * Checkers that read the samples of the lease table: distribution, ownership at the end, and the detection
 * time of children.
 */
import type { HistoryEvent } from "../../services/contract/history.ts";
import { LeaseTimeline, loadsOf, loadsText, settledAt } from "../history/lease-timeline.ts";
import { Marks } from "../history/marks.ts";
import { type ExperimentSettings, evenDistribution } from "../settings.ts";
import { type Checker, unknown, type Verdict, Witnesses } from "./checker.ts";

const NO_SAMPLES = "no sample of the lease table in the history";

/** State shared by all checkers of this file. */
class Samples {
  readonly timeline = new LeaseTimeline();
  readonly marks = new Marks();

  observe(event: HistoryEvent): void {
    if (event.type === "leases") this.timeline.observe(event);
    else if (event.type === "lease") this.timeline.observeLease(event);
    else if (event.type === "event") this.marks.observe(event);
  }

  /** Time of the last sample before the teardown. */
  get end(): number {
    return Math.min(
      this.timeline.lastSampleAt ?? 0,
      (this.marks.stopRequestedAt ?? Number.POSITIVE_INFINITY) - 1,
    );
  }

  loadsAt(t: number) {
    return loadsOf(this.timeline.tableAt(t), this.marks.parents);
  }
}

const valid = (actual: string | number): Verdict => ({ kind: "valid", actual });

/** Seed: 3 pods, 20 shards: 7/7/6. */
export function initialDistribution(settings: ExperimentSettings): Checker {
  const samples = new Samples();
  const even = evenDistribution(settings.shards, settings.pods, settings.maxLeasesLimit);
  return {
    name: "initial distribution",
    expected: loadsText(even),
    observe: (event) => samples.observe(event),
    verdict() {
      const { from, until } = samples.marks.initialWindow;
      if (samples.timeline.firstSampleAt === undefined) return unknown(NO_SAMPLES);
      if (from === undefined) return unknown("no task-started event before the first change");
      if (settledAt(samples.timeline, samples.marks.parents, { from, until }, even) !== undefined)
        return valid(loadsText(even));
      return notSpread(samples, Math.min(until - 1, samples.end), loadsText(even));
    },
  };
}

/** Seed: pods 4 and 5 start, 6/6/6/6/6 a minute later. */
export function convergence(settings: ExperimentSettings): Checker {
  const samples = new Samples();
  const { splitTo, scaleTo, pods, maxLeasesLimit, bounds } = settings;
  const even = evenDistribution(splitTo, scaleTo, maxLeasesLimit);
  const goal = loadsText(even);
  const changes = splitTo !== settings.shards || scaleTo !== pods;
  return {
    name: "convergence",
    expected: changes ? `${goal} ≤ ${bounds.convergenceMillis} ms` : goal,
    observe: (event) => samples.observe(event),
    verdict() {
      const { from, until } = samples.marks.scaleWindow;
      if (samples.timeline.firstSampleAt === undefined) return unknown(NO_SAMPLES);
      if (from === undefined) return unknown("no task-started event: there is no time to count from");
      if (scaleTo !== pods && samples.marks.scaleRequestedAt === undefined)
        return unknown("no scale-requested event");
      const settled = settledAt(samples.timeline, samples.marks.parents, { from, until }, even);
      if (settled === undefined) return notSpread(samples, Math.min(until - 1, samples.end), goal);
      if (settled - from <= bounds.convergenceMillis) return valid(`${goal} ${settled - from} ms`);
      const late = new Witnesses();
      late.add({ text: `${goal} only ${settled - from} ms after the last worker started`, t: settled });
      return late.invalid(`${goal} ${settled - from} ms`);
    },
  };
}

function notSpread(samples: Samples, t: number, expected: string): Verdict {
  const loads = samples.loadsAt(t);
  const actual = loadsText(loads.byWorker.values());
  const witnesses = new Witnesses();
  const unowned = loads.unowned.length > 0 ? `, unowned: ${loads.unowned.join(" ")}` : "";
  const each = [...loads.byWorker].map(([worker, count]) => `${worker} ${count}`).join(", ");
  witnesses.add({ text: `at ${t} it was ${actual} instead of ${expected}: ${each}${unowned}`, t });
  return witnesses.invalid(actual);
}

export function nothingUnowned(): Checker {
  const samples = new Samples();
  return {
    name: "no shard unowned",
    expected: 0,
    observe: (event) => samples.observe(event),
    verdict() {
      if (samples.timeline.firstSampleAt === undefined) return unknown(NO_SAMPLES);
      const { byWorker, unowned } = samples.loadsAt(samples.end);
      if (byWorker.size === 0 && unowned.length === 0) return unknown("the last sample shows no lease");
      if (unowned.length === 0) return valid(0);
      const witnesses = new Witnesses();
      for (const shardId of unowned)
        witnesses.add({ text: `${shardId} has no owner at ${samples.end}`, t: samples.end, shardId });
      return witnesses.invalid();
    },
  };
}

/** Seed: consumers detect new shards within 5 seconds, from when the stream lists them to their lease row. */
export function childrenDetected(settings: ExperimentSettings): Checker {
  const samples = new Samples();
  const bound = settings.bounds.childDetectionMillis;
  return {
    name: "children detected",
    expected: `≤ ${bound} ms`,
    observe: (event) => samples.observe(event),
    verdict() {
      const { children } = samples.marks;
      if (samples.timeline.firstSampleAt === undefined) return unknown(NO_SAMPLES);
      if (settings.splitTo === settings.shards && children.size === 0) return valid("no reshard");
      if (children.size === 0) return unknown("no split-done event names a child");
      const late = new Witnesses();
      let worst = 0;
      for (const [shardId, listedAt] of children) {
        const seen = samples.timeline.firstSeen.get(shardId);
        const millis = Math.max(0, (seen ?? Number.POSITIVE_INFINITY) - listedAt);
        worst = Math.max(worst, millis);
        if (millis <= bound) continue;
        const text =
          seen === undefined
            ? `${shardId} never got a lease`
            : `${shardId} got its lease only after ${millis} ms`;
        late.add({ text, shardId, t: listedAt });
      }
      const actual = worst === Number.POSITIVE_INFINITY ? "never" : `≤ ${worst} ms (${children.size})`;
      return late.total > 0 ? late.invalid(actual) : valid(actual);
    },
  };
}
