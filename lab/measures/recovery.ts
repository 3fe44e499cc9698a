/**
 * After a kill -9: the time until every lease of the killed worker has a living owner, and the time until
 * each of its shards is read again.
 */
import type { LeaseTimeline } from "../history/lease-timeline.ts";
import type { Marks } from "../history/marks.ts";
import type { Handover } from "./handovers.ts";

export interface Recovery {
  readonly worker: string;
  readonly killedAt: number;
  /**
   * Until the first sample in which every lease still in use has an owner other than the killed worker. Null:
   * there was none.
   */
  readonly ownedMillis: number | null;
  /**
   * Until the last of the successors' first GetRecords. Null: no shard of the killed worker was read again.
   */
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
