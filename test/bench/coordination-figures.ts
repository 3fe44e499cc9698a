/** Computes the figures of the coordination goals from one round's history. Pure. */
import { keyOrder, lineage, nothingDoubled, nothingLost, oneOwner } from "../../lab/checkers/index.ts";
import { isSpreadAs, LeaseTimeline } from "../../lab/history/lease-timeline.ts";
import { Marks } from "../../lab/history/marks.ts";
import { Flow } from "../../lab/measures/flow.ts";
import { type Handover, Handovers } from "../../lab/measures/handovers.ts";
import { percentile } from "../../lab/measures/percentiles.ts";
import { evenDistribution } from "../../lab/settings.ts";
import type { HistoryEvent } from "../../services/contract/history.ts";
import type { Figure } from "./figures.ts";

interface Window {
  readonly from: number;
  readonly until: number;
}

export interface Stages {
  readonly windows: Readonly<Record<string, Window>>;
  /** The worker that was killed or stopped in each phase. */
  readonly killed: Readonly<Record<string, string>>;
}

export interface RoundFigure extends Omit<Figure, "values"> {
  readonly value: number | null;
}

export interface RoundFigures {
  readonly figures: readonly RoundFigure[];
  readonly notes: readonly string[];
}

type Acquired = Extract<HistoryEvent, { type: "lease" }> & { action: "claimed" | "received" };

/** A checkpoint is at most 5 s old, and a batch is in flight. */
const CRASH_REPLAY_MILLIS = 7_000;
const FAILOVER_MILLIS = 4_000;
const SHARD_SYNC_MILLIS = 5_000;

export function roundFigures(events: readonly HistoryEvent[], stages: Stages): RoundFigures {
  const samples = new LeaseTimeline();
  const marks = new Marks();
  const flow = new Flow();
  const handovers = new Handovers();
  const doubled = nothingDoubled(CRASH_REPLAY_MILLIS);
  const checkers = [nothingLost(), keyOrder(), oneOwner(), lineage()];
  for (const event of events) {
    if (event.type === "leases") samples.observe(event);
    if (event.type === "event") marks.observe(event);
    flow.observe(event);
    handovers.observe(event);
    for (const checker of [doubled, ...checkers]) checker.observe(event);
  }
  const window = (name: string): Window => stages.windows[name]!;
  const within = (t: number, { from, until }: Window) => t >= from && t < until;
  const named = (name: string, at: Window) =>
    events.filter((e) => e.type === "event" && e.name === name && within(e.t, at)).map(({ t }) => t);
  const last = (times: readonly number[]) => (times.length === 0 ? null : Math.max(...times));
  const since = (from: number | null, to: number | null) =>
    from === null || to === null ? null : Math.max(0, to - from);
  const even = (name: string, shards: number, workers: number) =>
    evenAt(events, marks, window(name), evenDistribution(shards, workers, 10));
  const children = (name: string, times: ReadonlyMap<string, number>): number | null => {
    const listed = [...marks.children].filter(([, t]) => within(t, window(name)));
    const waits = listed.map(([child, t]) => since(t, times.get(child) ?? null));
    return waits.length === 0 || waits.includes(null) ? null : Math.max(...waits.filter((w) => w !== null));
  };
  const gaps = (name: string, from?: string) =>
    handovers.handovers
      .filter((move) => within(move.readAt, window(name)) && (from === undefined || move.from === from))
      .filter(({ planned }) => planned)
      .map(({ gapMillis }) => gapMillis);
  const spread = (values: readonly number[], fraction: number) => percentile(values, fraction) ?? null;
  const counted = (index: number): number | null => {
    const verdict = checkers[index]!.verdict();
    return verdict.kind === "valid" ? 0 : verdict.kind === "invalid" ? verdict.total : null;
  };

  const scale = window("scale");
  const scaled = even("scale", 30, 5);
  const crash = recovery(events, handovers.handovers, window("crash"), stages.killed.crash!);
  const leaderCrash = recovery(
    events,
    handovers.handovers,
    window("leaderCrash"),
    stages.killed.leaderCrash!,
  );
  const stopped = recovery(events, handovers.handovers, window("stop"), stages.killed.stop!);
  const stopGaps = gaps("stop", stages.killed.stop);
  const ms = (measure: string, value: number | null, goal?: Figure["goal"]): RoundFigure => ({
    measure,
    unit: "ms",
    value,
    ...(goal && { goal }),
  });
  const count = (measure: string, value: number | null, goal?: Figure["goal"]): RoundFigure => ({
    measure,
    unit: "count",
    value,
    ...(goal && { goal }),
  });
  const repeats = doubled.counts();
  const figures: RoundFigure[] = [
    ms("3 started → 7/7/6", since(last(named("task-started", window("start"))), even("start", 20, 3)), {
      worst: 2_000,
    }),
    ms(
      "  of it, from the last one's join",
      since(last(named("member-seen", window("start"))), even("start", 20, 3)),
    ),
    ms("split → child row, slowest", children("split", samples.firstSeen), { worst: 1_000 }),
    ms("split → child's first record, slowest", children("split", flow.firstRecordAt), { worst: 2_500 }),
    ms("untold split → child row", children("quietSplit", samples.firstSeen), {
      worst: SHARD_SYNC_MILLIS + 1_000,
    }),
    ms("untold split → first record", children("quietSplit", flow.firstRecordAt)),
    ms("2 added → 6/6/6/6/6, from start", since(last(named("task-started", scale)), scaled), {
      median: 1_000,
      worst: 1_500,
    }),
    ms("  of it, from the last one's join", since(last(named("member-seen", scale)), scaled)),
    count("lease moves for it", movesIn(events, scale), { worst: 12 }),
    ms("hand-over gap in it, p50", spread(gaps("scale"), 0.5)),
    ms("hand-over gap in it, p99", spread(gaps("scale"), 0.99), { worst: 500 }),
    ms("kill -9 → owned", crash.ownedMillis, { worst: FAILOVER_MILLIS + 1_000 }),
    ms("kill -9 → flowing", crash.flowingMillis, { worst: FAILOVER_MILLIS + 1_000 }),
    ms("kill -9 of the leader → owned", leaderCrash.ownedMillis, { worst: FAILOVER_MILLIS + 1_000 }),
    ms("kill -9 of the leader → flowing", leaderCrash.flowingMillis, { worst: FAILOVER_MILLIS + 1_000 }),
    ms("SIGTERM → owned", stopped.ownedMillis, { worst: 1_500 }),
    ms("pause of its shards, p99", spread(stopGaps, 0.99), { worst: 500 }),
    ms("hand-over gap, rolling deploy, p50", spread(gaps("deploy"), 0.5)),
    ms("hand-over gap, rolling deploy, p99", spread(gaps("deploy"), 0.99), { worst: 500 }),
    ms("put → handler, p50, all the time", flow.latency.percentile(0.5) ?? null),
    count("records lost", counted(0), { worst: 0 }),
    count("duplicates in planned moves", repeats.unexplained, { worst: 0 }),
    count("repeated after kill -9", repeats.afterCrash),
    count("order violations", counted(1), { worst: 0 }),
    count("two owners at once", counted(2), { worst: 0 }),
    count("children before parents", counted(3), { worst: 0 }),
  ];
  const notes = checkers
    .map((checker) => ({ checker, verdict: checker.verdict() }))
    .flatMap(({ checker, verdict }) =>
      verdict.kind === "invalid"
        ? verdict.witnesses.slice(0, 2).map(({ text }) => `${checker.name}: ${text}`)
        : [],
    );
  return { figures, notes };
}

const isAcquisition = (event: HistoryEvent): event is Acquired =>
  event.type === "lease" && (event.action === "claimed" || event.action === "received");

/**
 * When the workers themselves had taken up their leases evenly, and stayed so to the end of the window. Exact
 * to the millisecond, and later than what the table shows: the new owner has reported that it reads.
 */
function evenAt(
  events: readonly HistoryEvent[],
  { parents }: Marks,
  window: Window,
  expected: readonly number[],
): number | null {
  const held = new Map<string, { owner: string | null; ended: boolean }>();
  let since: number | null = null;
  for (const event of events) {
    if (event.t >= window.until) break;
    if (event.type !== "lease") continue;
    if (isAcquisition(event)) held.set(event.leaseKey, { owner: event.worker, ended: false });
    else if (event.action === "completed") held.set(event.leaseKey, { owner: null, ended: true });
    else if (event.action === "released") held.set(event.leaseKey, { owner: null, ended: false });
    if (event.t < window.from) continue;
    const owned = [...held.values()].filter(({ ended }) => !ended).length;
    const isEven = owned === expected.reduce((sum, n) => sum + n, 0) && isSpreadAs(held, parents, expected);
    since = isEven ? (since ?? event.t) : null;
  }
  return since;
}

function movesIn(events: readonly HistoryEvent[], window: Window): number {
  const holders = new Map<string, string>();
  let moves = 0;
  for (const event of events) {
    if (event.t >= window.until) break;
    if (!isAcquisition(event)) continue;
    const holder = holders.get(event.leaseKey);
    if (event.t >= window.from && holder !== undefined && holder !== event.worker) moves += 1;
    holders.set(event.leaseKey, event.worker);
  }
  return moves;
}

/**
 * The leases that a worker held when it was killed or stopped: the time until all were taken up, and until
 * all were read again.
 */
function recovery(
  events: readonly HistoryEvent[],
  handovers: readonly Handover[],
  window: Window,
  worker: string,
): { readonly ownedMillis: number | null; readonly flowingMillis: number | null } {
  const asked = events.find(
    (e) =>
      e.type === "event" &&
      (e.name === "task-killed" || e.name === "stop-asked") &&
      e.worker === worker &&
      e.t >= window.from,
  );
  const from = asked?.t ?? window.from;
  const holders = new Map<string, string>();
  for (const event of events)
    if (event.t < from && isAcquisition(event)) holders.set(event.leaseKey, event.worker);
  for (const event of events)
    if (event.t < from && event.type === "lease" && event.action === "completed")
      holders.delete(event.leaseKey);
  const orphaned = [...holders].filter(([, owner]) => owner === worker).map(([leaseKey]) => leaseKey);
  const owned = orphaned.map(
    (key) =>
      events.find((e) => isAcquisition(e) && e.leaseKey === key && e.worker !== worker && e.t >= from)?.t,
  );
  const read = orphaned.map(
    (key) =>
      handovers.find((move) => move.shardId === key && move.from === worker && move.readAt >= from)?.readAt,
  );
  const longest = (times: readonly (number | undefined)[]) =>
    times.length === 0 || times.includes(undefined) ? null : Math.max(...times.map((t) => t!)) - from;
  return { ownedMillis: longest(owned), flowingMillis: longest(read) };
}
