/** How many leases moved for the scaling, against the fewest that could have. */
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
 * Moves are counted from the moment the children are owned evenly (10/10/10): the first sample that shows it after
 * the reshard. Never shown: from the request to scale. Undefined: neither is in the history yet.
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

/** Acquisitions in the window by another worker than the one that held the lease. Ended leases do not move. */
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
    // A new owner tells of it a moment after the table does: then the sample knew it already.
    const holder = holders.get(leaseKey);
    if (holder !== null && holder !== undefined && holder !== worker) moves += 1;
    holders.set(leaseKey, worker);
  }
  return moves;
}

/** Whoever holds more than its even share gives the rest: fewer moves cannot do it. The biggest shares go to the biggest holders. */
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
