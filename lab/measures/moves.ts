/** The number of leases that moved because of scaling, compared with the minimum. */
import {
  isSpreadAs,
  type LeaseTable,
  type LeaseTimeline,
  liveLeases,
  loadsOf,
} from "../history/lease-timeline.ts";
import type { Marks } from "../history/marks.ts";
import { type ExperimentSettings, evenDistribution } from "../settings.ts";
import type { Acquisition } from "./handovers.ts";

export interface MovesWindow {
  readonly from: number;
  readonly until: number;
}

/**
 * The window in which moves count. It starts at the first sample after the reshard in which the children are
 * evenly owned (10/10/10). Without such a sample, it starts at the scaling request. Undefined: the history
 * has neither yet.
 */
export function movesWindow(
  timeline: LeaseTimeline,
  marks: Marks,
  settings: ExperimentSettings,
): MovesWindow | undefined {
  const { from, until: scaleAt } = marks.splitWindow;
  const { until } = marks.scaleWindow;
  const even = evenDistribution(settings.splitTo, settings.pods, settings.maxLeasesLimit);
  if (from !== undefined || settings.splitTo === settings.shards) {
    for (const { t, table } of timeline.tables()) {
      if (t >= scaleAt) break;
      if (t >= (from ?? 0) && isSpreadAs(table, marks.parents, even)) return { from: t, until };
    }
  }
  return marks.scaleRequestedAt === undefined ? undefined : { from: marks.scaleRequestedAt, until };
}

/** Acquisitions in the window by a worker other than the current holder. Ended leases do not move. */
export function countMoves(
  timeline: LeaseTimeline,
  acquisitions: readonly Acquisition[],
  window: MovesWindow,
): number {
  const holders = new Map(
    [...timeline.tableAt(window.from)].map(([leaseKey, { owner }]) => [leaseKey, owner]),
  );
  let moves = 0;
  for (const { t, leaseKey, worker } of acquisitions) {
    if (t < window.from || t >= window.until) continue;
    // A new owner's line comes shortly after its row changes, so the sample may already show the new owner.
    const holder = holders.get(leaseKey);
    if (holder !== null && holder !== undefined && holder !== worker) moves += 1;
    holders.set(leaseKey, worker);
  }
  return moves;
}

/**
 * The minimum number of moves: each worker hands over what exceeds its even share. The largest shares go to
 * the largest holders.
 */
export function minimumMoves(table: LeaseTable, marks: Marks, settings: ExperimentSettings): number {
  const shares = evenDistribution(
    liveLeases(table, marks.parents).length,
    settings.scaleTo,
    settings.maxLeasesLimit,
  );
  return [...loadsOf(table, marks.parents).byWorker.values()]
    .toSorted((a, b) => b - a)
    .reduce((moves, load, i) => moves + Math.max(0, load - (shares[i] ?? 0)), 0);
}
