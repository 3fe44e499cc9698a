/** The original experiment's timeline beside the measured one. */
import { loadsOf, loadsText } from "../history/lease-timeline.ts";
import type { Measurement, Measures } from "../measures/index.ts";
import { type ExperimentSettings, evenDistribution } from "../settings.ts";
import { millisText } from "./rows.ts";

export interface SeedRow {
  readonly seedTime: string;
  readonly seedExpects: string;
  /** Seconds since the first worker started; `—` if it did not happen. */
  readonly measuredTime: string;
  readonly measured: string;
}

export function seedTimeline(
  measurement: Measurement,
  measures: Measures,
  settings: ExperimentSettings,
  startedAt: number,
): SeedRow[] {
  const { marks, timeline } = measurement;
  const { shards, splitTo, pods, scaleTo, maxLeasesLimit } = settings;
  const at = (t: number | undefined): string =>
    t === undefined ? "—" : `${((t - startedAt) / 1_000).toFixed(1)} s`;
  const loads = (t: number | undefined): string =>
    t === undefined ? "not seen" : loadsText(loadsOf(timeline.tableAt(t), marks.parents).byWorker.values());
  const even = (count: number, workers: number) =>
    loadsText(evenDistribution(count, workers, maxLeasesLimit));
  const plus = (t: number | undefined, millis: number | null): number | undefined =>
    t === undefined || millis === null ? undefined : t + millis;

  const evenAt = plus(marks.initialWindow.from, measures.initialBalanceMillis);
  const rows: SeedRow[] = [
    {
      seedTime: "0 s",
      seedExpects: `${pods} pods, ${shards} shards: ${even(shards, pods)}`,
      measuredTime: at(evenAt),
      measured:
        evenAt === undefined
          ? "never even"
          : `${loads(evenAt)}, ${millisText(measures.initialBalanceMillis ?? 0)} after the last pod started`,
    },
  ];
  if (splitTo !== shards) {
    const found = measures.childDetectionMillis;
    const lastSeen = [...marks.children.keys()]
      .map((child) => timeline.firstSeen.get(child))
      .filter((t) => t !== undefined);
    rows.push(
      {
        seedTime: "60 s",
        seedExpects: `split initiated (${shards} → ${splitTo})`,
        measuredTime: at(marks.splitRequestedAt),
        measured: `${marks.children.size} children listed by ${at(marks.splitDoneAt)}, ${new Set(Object.values(marks.parents).flat()).size} parents closed`,
      },
      {
        seedTime: "65 s",
        seedExpects: "child shards detected",
        measuredTime: at(lastSeen.length === 0 ? undefined : Math.max(...lastSeen)),
        measured:
          found === null
            ? "not seen"
            : `${lastSeen.length} of ${marks.children.size} have a lease, the slowest ${millisText(found.max)} after it was listed`,
      },
    );
  }
  if (scaleTo !== pods) {
    const added = marks.starts.filter(({ t }) => t >= (marks.scaleRequestedAt ?? Number.POSITIVE_INFINITY));
    const firstMove = measurement.handovers.handovers.find(({ to }) =>
      added.some(({ worker }) => worker === to),
    );
    const evenAgainAt = plus(marks.scaleWindow.from, measures.convergenceMillis);
    rows.push(
      {
        seedTime: "120 s",
        seedExpects: `pods ${pods + 1} to ${scaleTo} started`,
        measuredTime: at(added[0]?.t),
        measured:
          added.length === 0 ? "none started" : `${added.length} started, the fleet at ${loads(added[0]?.t)}`,
      },
      {
        seedTime: "130 s",
        seedExpects: "lease stealing begins",
        measuredTime: at(firstMove?.readAt),
        measured: firstMove === undefined ? "no lease moved" : "first lease read by a new pod",
      },
      {
        seedTime: "180 s",
        seedExpects: `converged: ${even(splitTo, scaleTo)}`,
        measuredTime: at(evenAgainAt),
        measured:
          evenAgainAt === undefined
            ? "never"
            : `${loads(evenAgainAt)}, ${millisText(measures.convergenceMillis ?? 0)} after the last pod started, staying so`,
      },
    );
  }
  return rows;
}
