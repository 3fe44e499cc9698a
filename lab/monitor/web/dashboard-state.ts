/**
 * The page's state: the newest fleet state and a bounded history. Server and page hold the same state and
 * apply the same changes to it, so only changes are sent. Pure: no DOM, no Node.
 */

/** Older entries are dropped, so memory does not grow with viewing time. */
export const WINDOW_MILLIS = 600_000;
export const MAX_SEGMENTS = 60;
export const MAX_HANDOVERS = 100;
export const MAX_LOG = 100;
const MAX_SAMPLES = 620;
const MAX_WORKERS = 300;

/** A lease's state as a small number: 1,000 shards send many of them. */
export const TURN = { open: 0, draining: 1, blocked: 2, ended: 3, removed: 4 } as const;

/** Start time, owner number (0: no owner), and one of `TURN`. Lasts until the next segment. */
export type Segment = [from: number, worker: number, turn: number];

export interface Track {
  readonly key: string;
  readonly parents: readonly string[];
  /** Oldest first. */
  readonly segments: Segment[];
}

export interface DashboardWorker {
  /** Counts up in the order in which workers are first observed. */
  readonly number: number;
  /** The worker's id if it is short ("pod-4", started by hand), else `w` and the number. */
  readonly name: string;
  /** 1 to 10: an index into the theme's colours. */
  readonly colour: number;
  readonly id: string;
  readonly state: "active" | "joining" | "leaving" | "dead" | "unknown" | "gone";
  readonly open: number;
  readonly draining: number;
  readonly blocked: number;
  /** Null: no cap. */
  readonly cap: number | null;
  /** Last time the worker was present. A worker that is gone is kept until this time leaves the window. */
  readonly seenAt: number;
}

export interface Counts {
  readonly load: number;
  readonly unowned: number;
  readonly draining: number;
  readonly blocked: number;
  readonly ended: number;
  readonly plannedMoves: number;
  readonly moves: number;
  readonly corrupt: readonly string[];
}

export interface DashboardHandover {
  readonly t: number;
  readonly key: string;
  readonly from: string;
  readonly to: string;
  /** Null: not measured; the change happened between two polls. */
  readonly gapMillis: number | null;
  /** "seen": derived from rows only, so the reason for the move is unknown. */
  readonly how: "handed over" | "taken over" | "seen";
}

export interface LogEntry {
  readonly t: number;
  readonly text: string;
  readonly tone: "plain" | "good" | "bad";
}

export interface Sample {
  readonly t: number;
  readonly inPerSecond: number;
  readonly outPerSecond: number;
  readonly waiting: number;
}

export interface ShardLag {
  readonly key: string;
  readonly waiting: number;
  /** Age of the oldest waiting record. */
  readonly oldestMillis: number;
}

export interface Lag {
  /** By worker id. A worker without waiting records is absent. */
  readonly workers: Readonly<Record<string, { readonly waiting: number; readonly oldestMillis: number }>>;
  /** The slowest few, slowest first. */
  readonly shards: readonly ShardLag[];
}

export interface DashboardState {
  title: string;
  /** Time of the newest snapshot; 0: none yet. */
  t: number;
  workers: readonly DashboardWorker[];
  /** Grouped by family: parents, each followed by its children. */
  tracks: Track[];
  counts: Counts | null;
  /** Newest first. */
  handovers: readonly DashboardHandover[];
  /** Newest first. */
  log: readonly LogEntry[];
  /** Oldest first. Empty if records are not counted on this machine. */
  samples: readonly Sample[];
  lag: Lag | null;
  /** The reason why no updates arrive, if none do. */
  problem: string | null;
}

export interface DashboardChange {
  readonly t: number;
  /** All workers, if anything about one changed. */
  readonly workers?: readonly DashboardWorker[];
  readonly added?: readonly { readonly key: string; readonly parents: readonly string[] }[];
  readonly turns?: readonly (readonly [key: string, worker: number, turn: number])[];
  /** All lease keys in row order, if shards were added. */
  readonly order?: readonly string[];
  readonly counts?: Counts;
  /** New ones, oldest first. */
  readonly handovers?: readonly DashboardHandover[];
  /** New ones, oldest first. */
  readonly log?: readonly LogEntry[];
  readonly sample?: Sample;
  readonly lag?: Lag;
  readonly problem: string | null;
}

export const emptyDashboard = (title: string): DashboardState => ({
  title,
  t: 0,
  workers: [],
  tracks: [],
  counts: null,
  handovers: [],
  log: [],
  samples: [],
  lag: null,
  problem: null,
});

const MIN_SHOWN_MILLIS = 30_000;

/** How much of the past to show: the chosen time span, but not much more than there is data for. */
export function shownMillis({ tracks }: DashboardState, now: number, chosenMillis: number): number {
  const oldest = tracks.reduce((least, { segments }) => Math.min(least, segments[0]?.[0] ?? least), now);
  return Math.min(chosenMillis, Math.max(MIN_SHOWN_MILLIS, now - oldest));
}

/** Applies the change in place: one move must not copy a thousand tracks. */
export function applyChange(dashboard: DashboardState, change: DashboardChange): void {
  dashboard.t = Math.max(dashboard.t, change.t);
  dashboard.problem = change.problem;
  if (change.counts) dashboard.counts = change.counts;
  if (change.lag) dashboard.lag = change.lag;
  if (change.handovers)
    dashboard.handovers = [...change.handovers.toReversed(), ...dashboard.handovers].slice(0, MAX_HANDOVERS);
  if (change.log) dashboard.log = [...change.log.toReversed(), ...dashboard.log].slice(0, MAX_LOG);
  const since = dashboard.t - WINDOW_MILLIS;
  if (change.sample)
    dashboard.samples = [...dashboard.samples, change.sample]
      .filter(({ t }) => t >= since)
      .slice(-MAX_SAMPLES);
  if (change.workers)
    dashboard.workers = change.workers
      .filter((worker) => isPresent(worker) || worker.seenAt >= since)
      .slice(-MAX_WORKERS);
  for (const { key, parents } of change.added ?? []) dashboard.tracks.push({ key, parents, segments: [] });
  if (change.turns) takeTurns(dashboard, change.t, change.turns);
  for (const track of dashboard.tracks) forget(track, since);
  dashboard.tracks = dashboard.tracks.filter(({ segments }) => !isOver(segments, since));
  if (change.order) {
    const place = new Map(change.order.map((key, i) => [key, i]));
    dashboard.tracks.sort((a, b) => (place.get(a.key) ?? 0) - (place.get(b.key) ?? 0));
  }
}

function takeTurns(dashboard: DashboardState, t: number, turns: NonNullable<DashboardChange["turns"]>): void {
  const tracks = new Map(dashboard.tracks.map((track) => [track.key, track]));
  for (const [key, worker, turn] of turns) {
    const segments = tracks.get(key)?.segments;
    if (segments === undefined) continue;
    segments.push([t, worker, turn]);
    if (segments.length > MAX_SEGMENTS) segments.splice(0, segments.length - MAX_SEGMENTS);
  }
}

/** Drops segments that ended before `since`. */
function forget({ segments }: Track, since: number): void {
  let ended = 0;
  while ((segments[ended + 1]?.[0] ?? Number.POSITIVE_INFINITY) <= since) ended += 1;
  if (ended > 0) segments.splice(0, ended);
}

/** Ended, or without a row, since before the window. */
function isOver(segments: readonly Segment[], since: number): boolean {
  const last = segments.at(-1);
  return last !== undefined && last[2] >= TURN.ended && last[0] <= since;
}

export const isPresent = (worker: DashboardWorker): boolean => worker.state !== "gone";

export const NOBODY = "nobody";

export function nameOf({ workers }: Pick<DashboardState, "workers">, id: string): string {
  return workers.find((worker) => worker.id === id)?.name ?? (id.length > 12 ? `${id.slice(0, 11)}…` : id);
}

/** shardId-000000000012 → 12: the long form repeats the same zeros on every row. */
export const shortShard = (key: string): string => /^shardId-0*(\d+)$/.exec(key)?.[1] ?? key;
