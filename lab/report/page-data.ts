/** The page's data, computed and thinned, so that the page stays small for any length of run. */
import { loadsOf } from "../history/lease-timeline.ts";
import { BIN_MILLIS, type Bin } from "../measures/flow.ts";
import type { Measurement } from "../measures/index.ts";
import { chosenRows, type ShardRow, shardRows } from "./shard-rows.ts";

const MAX_POINTS = 1_200;

export interface PageWorker {
  readonly id: string;
  /** "pod 1" in the order of the starts, as the seed names them. */
  readonly name: string;
  readonly startedAt: number | undefined;
  readonly killed: boolean;
}

export interface Series {
  /** Seconds since the start. */
  readonly x: readonly number[];
  readonly y: readonly (readonly (number | null)[])[];
}

export interface PageData {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly workers: readonly PageWorker[];
  /** First the even share, then one series per worker. */
  readonly leases: Series;
  /** Records waiting, and the slowest record handled in that time (milliseconds). */
  readonly lag: Series;
  readonly rows: readonly ShardRow[];
  readonly hiddenRows: number;
  readonly marks: readonly { readonly t: number; readonly label: string }[];
}

export function pageData(measurement: Measurement, maxLeasesLimit: number): PageData {
  const { marks } = measurement;
  const startedAt = Math.min(measurement.startedAt ?? 0, ...marks.starts.map(({ t }) => t));
  const endedAt = Math.max(startedAt + 1, marks.stopRequestedAt ?? measurement.endedAt ?? 0);
  const workers = workersOf(measurement);
  return {
    startedAt,
    endedAt,
    workers,
    leases: leaseSeries(measurement, workers, maxLeasesLimit, startedAt, endedAt),
    lag: lagSeries(measurement.flow.bins, startedAt, endedAt),
    ...chosenRows(shardRows(measurement, endedAt)),
    marks: [
      { t: marks.splitRequestedAt, label: "split" },
      { t: marks.scaleRequestedAt, label: "scale" },
      ...marks.kills.map(({ t }) => ({ t, label: "kill -9" })),
    ].filter((mark): mark is { t: number; label: string } => mark.t !== undefined && mark.t <= endedAt),
  };
}

function workersOf({ marks, timeline }: Measurement): PageWorker[] {
  const startedAt = new Map<string, number>();
  for (const { worker, t } of marks.starts.toSorted((a, b) => a.t - b.t))
    if (!startedAt.has(worker)) startedAt.set(worker, t);
  const owners = timeline.changes.flatMap(({ state }) =>
    state === undefined || state.owner === null ? [] : [state.owner],
  );
  const killed = new Set(marks.kills.map(({ worker }) => worker));
  return [...new Set([...startedAt.keys(), ...owners])].map((id, i) => ({
    id,
    name: `pod ${i + 1}`,
    startedAt: startedAt.get(id),
    killed: killed.has(id),
  }));
}

function leaseSeries(
  { timeline, marks }: Measurement,
  workers: readonly PageWorker[],
  maxLeasesLimit: number,
  startedAt: number,
  endedAt: number,
): Series {
  const gone = new Map([...marks.kills, ...marks.stops].map(({ worker, t }) => [worker, t]));
  const points: { t: number; counts: (number | null)[] }[] = [];
  const add = (t: number, loads: ReadonlyMap<string, number>, live: number) => {
    const counts = workers.map(({ id, startedAt: since }) => {
      const count = loads.get(id);
      return (
        count ??
        ((since ?? Number.POSITIVE_INFINITY) <= t && t < (gone.get(id) ?? Number.POSITIVE_INFINITY)
          ? 0
          : null)
      );
    });
    const present = counts.filter((count) => count !== null).length;
    const share = Math.min(maxLeasesLimit, live / present);
    points.push({ t, counts: [present === 0 ? null : Math.round(share * 100) / 100, ...counts] });
  };
  let newest: { loads: ReadonlyMap<string, number>; live: number } = { loads: new Map(), live: 0 };
  const starts = marks.starts.map(({ t }) => t).toSorted((a, b) => a - b);
  for (const { t, table } of timeline.tables()) {
    if (t > endedAt) break;
    while ((starts[0] ?? Number.POSITIVE_INFINITY) < t)
      add(starts.shift() as number, newest.loads, newest.live);
    const { byWorker, unowned } = loadsOf(table, marks.parents);
    newest = {
      loads: byWorker,
      live: unowned.length + [...byWorker.values()].reduce((sum, count) => sum + count, 0),
    };
    add(t, newest.loads, newest.live);
  }
  add(endedAt, newest.loads, newest.live);
  const kept = thin(points, startedAt, endedAt);
  return {
    x: kept.map(({ t }) => (t - startedAt) / 1_000),
    y: Array.from({ length: workers.length + 1 }, (_, i) => kept.map(({ counts }) => counts[i] ?? null)),
  };
}

/** At most one point per time slot, the newest: a step line needs the state that lasted. */
function thin<T extends { readonly t: number }>(
  points: readonly T[],
  startedAt: number,
  endedAt: number,
): T[] {
  if (points.length <= MAX_POINTS) return [...points];
  const slots = new Map(
    points.map((point) => [Math.floor(((point.t - startedAt) / (endedAt - startedAt)) * MAX_POINTS), point]),
  );
  return [...slots.values()];
}

function lagSeries(bins: ReadonlyMap<number, Bin>, startedAt: number, endedAt: number): Series {
  const first = Math.floor(startedAt / BIN_MILLIS);
  const last = Math.floor(endedAt / BIN_MILLIS);
  const perPoint = Math.max(1, Math.ceil((last - first + 1) / MAX_POINTS));
  const x: number[] = [];
  const waiting: number[] = [];
  const slowest: (number | null)[] = [];
  let backlog = 0;
  for (let from = first; from <= last; from += perPoint) {
    let worst: number | null = null;
    for (let bin = from; bin < from + perPoint; bin++) {
      const { puts, handled, slowestMillis } = bins.get(bin) ?? { puts: 0, handled: 0, slowestMillis: 0 };
      backlog += puts - handled;
      if (handled > 0) worst = Math.max(worst ?? 0, slowestMillis);
    }
    x.push(Math.max(0, (from + perPoint) * BIN_MILLIS - startedAt) / 1_000);
    waiting.push(Math.max(0, backlog));
    slowest.push(worst);
  }
  return { x, y: [waiting, slowest] };
}
