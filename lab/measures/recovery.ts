/** After a kill -9: until every lease of the killed worker had a living owner, and until each of its shards was read again. */
import type { LeaseTimeline } from "../history/lease-timeline.ts";
import type { Marks } from "../history/marks.ts";
import type { Handover } from "./handovers.ts";

export interface Recovery {
  readonly worker: string;
  readonly killedAt: number;
  /** To the first sample without a lease of the killed worker; null: there was none. */
  readonly ownedMillis: number | null;
  /** To the last first GetRecords of a successor; null: no shard of it was read again. */
  readonly flowingMillis: number | null;
}

export function recoveries(
  timeline: LeaseTimeline,
  marks: Marks,
  handovers: readonly Handover[],
): Recovery[] {
  return marks.kills.map(({ worker, t: killedAt }) => {
    const owned = ownedAgainAt(timeline, worker, killedAt);
    const reads = handovers.filter(
      (move) => move.from === worker && move.readAt >= killedAt && !move.planned,
    );
    const flowing = reads.length === 0 ? undefined : Math.max(...reads.map(({ readAt }) => readAt));
    return {
      worker,
      killedAt,
      ownedMillis: owned === undefined ? null : owned - killedAt,
      flowingMillis: flowing === undefined ? null : flowing - killedAt,
    };
  });
}

function ownedAgainAt(timeline: LeaseTimeline, worker: string, killedAt: number): number | undefined {
  for (const { t, table } of timeline.tables()) {
    if (t < killedAt) continue;
    if ([...table.values()].every(({ owner, ended }) => ended || (owner !== null && owner !== worker)))
      return t;
  }
  return undefined;
}
