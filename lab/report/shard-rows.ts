/** The owner timeline as data: for each shard its owners over time, and its hand-overs. */
import type { LeaseState } from "../history/lease-timeline.ts";
import type { Handover } from "../measures/handovers.ts";
import type { Measurement } from "../measures/index.ts";

const MAX_ROWS = 200;
const MAX_SEGMENTS = 8_000;

export interface Segment {
  readonly from: number;
  readonly to: number;
  readonly state:
    | { readonly kind: "owned"; readonly worker: string }
    | { readonly kind: "unowned" | "waiting" };
}

export interface ShardRow {
  readonly shardId: string;
  readonly parents: readonly string[];
  readonly segments: readonly Segment[];
  readonly handovers: readonly Handover[];
}

export function shardRows({ timeline, marks, handovers }: Measurement, endedAt: number): ShardRow[] {
  const segments = new Map<string, Segment[]>();
  const since = new Map<
    string,
    { readonly t: number; readonly state: LeaseState; readonly blocked: boolean }
  >();
  const close = (leaseKey: string, to: number) => {
    const open = since.get(leaseKey);
    if (open === undefined || open.state.ended || to <= open.t) return;
    const { owner } = open.state;
    const state =
      owner !== null
        ? ({ kind: "owned", worker: owner } as const)
        : ({ kind: open.blocked ? "waiting" : "unowned" } as const);
    const list = segments.get(leaseKey) ?? [];
    list.push({ from: open.t, to, state });
    segments.set(leaseKey, list);
  };
  for (const { t, table } of timeline.tables()) {
    if (t > endedAt) break;
    for (const [leaseKey, state] of table) {
      const blocked = (marks.parents[leaseKey] ?? []).some((parent) => table.get(parent)?.ended === false);
      const open = since.get(leaseKey);
      if (open?.state === state && open.blocked === blocked) continue;
      close(leaseKey, t);
      since.set(leaseKey, { t, state, blocked });
    }
    for (const leaseKey of since.keys()) {
      if (table.has(leaseKey)) continue;
      close(leaseKey, t);
      since.delete(leaseKey);
    }
  }
  for (const leaseKey of since.keys()) close(leaseKey, endedAt);
  const moves = groupBy(
    handovers.handovers.filter(({ readAt }) => readAt <= endedAt),
    ({ shardId }) => shardId,
  );
  return inFamilyOrder([...segments.keys()], marks.parents).map((shardId) => ({
    shardId,
    parents: marks.parents[shardId] ?? [],
    segments: segments.get(shardId) ?? [],
    handovers: moves.get(shardId) ?? [],
  }));
}

/** Parents, each followed by its children. A merged shard comes below its first parent. */
export function inFamilyOrder(
  shardIds: readonly string[],
  parents: Readonly<Record<string, readonly string[]>>,
): string[] {
  const known = new Set(shardIds);
  const children = groupBy(shardIds.toSorted(), (id) => parents[id]?.find((parent) => known.has(parent)));
  const ordered: string[] = [];
  const waiting = [...(children.get(undefined) ?? [])].reverse();
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    ordered.push(id);
    waiting.push(...(children.get(id) ?? []).toReversed());
  }
  return ordered;
}

/** If there are too many shards, keeps those that changed owner most often. */
export function chosenRows(rows: readonly ShardRow[]): { rows: ShardRow[]; hiddenRows: number } {
  const busiest = rows.toSorted((a, b) => b.segments.length - a.segments.length).slice(0, MAX_ROWS);
  const chosen = new Set<ShardRow>();
  let segments = 0;
  for (const row of busiest) {
    segments += row.segments.length + row.handovers.length;
    if (segments > MAX_SEGMENTS && chosen.size > 0) break;
    chosen.add(row);
  }
  return { rows: rows.filter((row) => chosen.has(row)), hiddenRows: rows.length - chosen.size };
}

function groupBy<K, V>(items: readonly V[], keyOf: (item: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
