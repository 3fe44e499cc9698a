/**
 * The measures of docs/experiment.md, for a complete history or a growing one: call `observe` for each line,
 * and `result` at any time. All durations are in milliseconds. Null: it has not happened (yet).
 */
import type { HistoryEvent } from "../../services/contract/history.ts";
import { keyOrder, nothingDoubled } from "../checkers/index.ts";
import { LeaseTimeline, loadsOf, settledAt } from "../history/lease-timeline.ts";
import { Marks, type Phase } from "../history/marks.ts";
import { type ExperimentSettings, evenDistribution } from "../settings.ts";
import { type ApiCalls, type Cost, dynamoDbCost } from "./cost.ts";
import { Flow, type Silence } from "./flow.ts";
import { type Handover, Handovers } from "./handovers.ts";
import { countMoves, minimumMoves, movesWindow } from "./moves.ts";
import { percentile } from "./percentiles.ts";
import { type Recovery, recoveries } from "./recovery.ts";

export type { ApiCalls, Cost } from "./cost.ts";

export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Measures {
  /**
   * From the last task-started of the initial workers to the first sample that is even and stays even. Before
   * the first sample, the workers' lease lines count instead.
   */
  readonly initialBalanceMillis: number | null;
  /** Per child: from the stream listing it to the first sample with its lease row. */
  readonly childDetectionMillis: { readonly p50: number; readonly max: number } | null;
  /** Per child: from the stream listing it to its first handled record. */
  readonly childFirstRecordMillis: { readonly p50: number; readonly max: number } | null;
  /** From the last task-started of the added workers until the distribution is even and stays even. */
  readonly convergenceMillis: number | null;
  /**
   * Planned moves in the window of `leaseMoves`: the old owner's last finished batch → the new owner's first
   * GetRecords.
   */
  readonly handoffGapMillis: Spread | null;
  /** The same for every planned move of the run. */
  readonly allHandoffGapsMillis: Spread | null;
  /** The same for leases taken after an expiry. */
  readonly takeoverGapMillis: Spread | null;
  readonly produced: number;
  readonly processed: number;
  /** Records processed again, including replays after a kill -9. */
  readonly duplicates: number;
  readonly duplicatesAfterCrash: number;
  /** Put and not processed. In a growing history: not yet processed. */
  readonly lost: number;
  readonly orderViolations: number;
  /** Counted from the moment the children are evenly owned. */
  readonly leaseMoves: number | null;
  readonly minimumLeaseMoves: number | null;
  readonly putToHandlerMillis: Spread | null;
  /** The longest time without a record per shard: median and worst. */
  readonly shardSilenceMillis: { readonly p50: number; readonly max: number; readonly worst: Silence } | null;
  readonly recoveries: readonly Recovery[];
  /** Leases per worker at the end of each phase. */
  readonly distributions: readonly {
    readonly phase: string;
    readonly at: number;
    readonly leases: Readonly<Record<string, number>>;
    readonly unowned: number;
  }[];
  readonly durationMillis: number;
  /** The consumers' calls. Empty if the endpoint does not count them. */
  readonly apiCalls: ApiCalls;
  readonly dynamoDb: Cost | null;
}

export class Measurement {
  readonly timeline = new LeaseTimeline();
  readonly marks = new Marks();
  readonly flow = new Flow();
  readonly handovers = new Handovers();
  startedAt: number | undefined;
  endedAt: number | undefined;
  readonly #settings: ExperimentSettings;
  readonly #order = keyOrder();
  readonly #doubled;

  constructor(settings: ExperimentSettings) {
    this.#settings = settings;
    this.#doubled = nothingDoubled(settings.bounds.crashReplayMillis);
  }

  observe(event: HistoryEvent): void {
    this.startedAt = Math.min(this.startedAt ?? event.t, event.t);
    this.endedAt = Math.max(this.endedAt ?? event.t, event.t);
    if (event.type === "leases") this.timeline.observe(event);
    else if (event.type === "lease") this.timeline.observeLease(event);
    else if (event.type === "event") this.marks.observe(event);
    this.flow.observe(event);
    this.handovers.observe(event);
    this.#order.observe(event);
    this.#doubled.observe(event);
  }

  phases(): Phase[] {
    return this.marks.phases(this.endedAt ?? 0);
  }

  result(options: { readonly apiCalls?: ApiCalls; readonly phases?: readonly Phase[] } = {}): Measures {
    const { timeline, marks, flow } = this;
    const settings = this.#settings;
    const { apiCalls = {}, phases = this.phases() } = options;
    const window = movesWindow(timeline, marks, settings);
    const planned = this.handovers.handovers.filter(
      (move) => move.planned && move.readAt < (marks.stopRequestedAt ?? Infinity),
    );
    const inWindow = ({ readAt }: Handover) =>
      window !== undefined && readAt >= window.from && readAt < window.until;
    const order = this.#order.verdict();
    const repeated = this.#doubled.counts();
    const durationMillis = (this.endedAt ?? 0) - (this.startedAt ?? 0);
    return {
      initialBalanceMillis: this.#settled(settings.shards, settings.pods, marks.initialWindow),
      childDetectionMillis: this.#perChild(timeline.firstSeen),
      childFirstRecordMillis: this.#perChild(flow.firstRecordAt),
      convergenceMillis: this.#settled(settings.splitTo, settings.scaleTo, marks.scaleWindow),
      handoffGapMillis: spread(planned.filter(inWindow)),
      allHandoffGapsMillis: spread(planned),
      takeoverGapMillis: spread(this.handovers.handovers.filter((move) => !move.planned)),
      produced: flow.produced,
      processed: flow.processed,
      duplicates: repeated.unexplained + repeated.afterCrash,
      duplicatesAfterCrash: repeated.afterCrash,
      lost: flow.produced - flow.arrived,
      orderViolations: order.kind === "invalid" ? order.total : 0,
      leaseMoves: window === undefined ? null : countMoves(timeline, this.handovers.acquisitions, window),
      minimumLeaseMoves:
        window === undefined ? null : minimumMoves(timeline.tableAt(window.from), marks, settings),
      putToHandlerMillis: this.#latency(),
      shardSilenceMillis: this.#silence(),
      recoveries: recoveries(timeline, marks, this.handovers.handovers),
      distributions: phases.map(({ name, endedAt }) => this.#distribution(name, endedAt)),
      durationMillis,
      apiCalls,
      dynamoDb: dynamoDbCost(apiCalls, durationMillis) ?? null,
    };
  }

  #settled(
    shards: number,
    workers: number,
    window: { from: number | undefined; until: number },
  ): number | null {
    const { from, until } = window;
    if (from === undefined) return null;
    const even = evenDistribution(shards, workers, this.#settings.maxLeasesLimit);
    const at = settledAt(this.timeline, this.marks.parents, { from, until }, even);
    return at === undefined ? null : at - from;
  }

  #perChild(times: ReadonlyMap<string, number>): { p50: number; max: number } | null {
    const millis: number[] = [];
    for (const [child, listedAt] of this.marks.children) {
      const t = times.get(child);
      if (t !== undefined) millis.push(Math.max(0, t - listedAt));
    }
    return millis.length === 0 ? null : { p50: percentile(millis, 0.5) as number, max: Math.max(...millis) };
  }

  #latency(): Spread | null {
    const { latency } = this.flow;
    if (latency.count === 0) return null;
    return {
      p50: latency.percentile(0.5) as number,
      p99: latency.percentile(0.99) as number,
      max: latency.max,
    };
  }

  #silence(): Measures["shardSilenceMillis"] {
    const silences = [...this.flow.longestSilences.values()].toSorted((a, b) => b.millis - a.millis);
    const worst = silences[0];
    if (worst === undefined) return null;
    return {
      p50: percentile(
        silences.map(({ millis }) => millis),
        0.5,
      ) as number,
      max: worst.millis,
      worst,
    };
  }

  #distribution(phase: string, at: number) {
    const { byWorker, unowned } = loadsOf(this.timeline.tableAt(at), this.marks.parents);
    return {
      phase,
      at,
      leases: Object.fromEntries([...byWorker].toSorted(([a], [b]) => (a < b ? -1 : 1))),
      unowned: unowned.length,
    };
  }
}

/** Measures a history in memory in one call. The live view passes the lines read so far. */
export function measure(history: Iterable<HistoryEvent>, settings: ExperimentSettings): Measures {
  const measurement = new Measurement(settings);
  for (const event of history) measurement.observe(event);
  return measurement.result();
}

function spread(handovers: readonly Handover[]): Spread | null {
  if (handovers.length === 0) return null;
  const gaps = handovers.map(({ gapMillis }) => gapMillis);
  return {
    p50: percentile(gaps, 0.5) as number,
    p99: percentile(gaps, 0.99) as number,
    max: Math.max(...gaps),
  };
}
