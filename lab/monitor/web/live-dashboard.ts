/**
 * One dashboard state for all viewers. The source is read only while there is a viewer, and for a few seconds
 * after, so that a reloaded page finds its history.
 */

import type { HistoryEvent } from "../../../services/contract/history.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { FleetState } from "../../fleet/state.ts";
import { Handovers } from "../../measures/handovers.ts";
import type { MonitorState } from "../monitor.ts";
import { fleetChange, type Numbering } from "./dashboard-change.ts";
import {
  applyChange,
  type DashboardChange,
  type DashboardState,
  emptyDashboard,
  type LogEntry,
} from "./dashboard-state.ts";
import { RecordLag } from "./record-lag.ts";
import type { SnapshotSource } from "./snapshot-source.ts";

export type DashboardMessage = { readonly dashboard: DashboardState } | { readonly change: DashboardChange };

const LINGER_MILLIS = 5_000;
const SAMPLE_MILLIS = 1_000;

export class LiveDashboard {
  readonly #source: SnapshotSource;
  readonly #clock: Clock;
  readonly #viewers = new Set<(change: DashboardChange) => void>();
  readonly #numbering: Numbering = { highest: 0 };
  #dashboard: DashboardState;
  #watch: { readonly stopping: AbortController; readonly ended: Promise<void> } | undefined;
  #lingering: AbortController | undefined;
  #fleet: FleetState | undefined;
  #lag = new RecordLag();
  #handovers = new Handovers();
  #sampledAt = 0;
  #seen: () => void = () => undefined;

  constructor(source: SnapshotSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    this.#dashboard = emptyDashboard(source.title);
  }

  get dashboard(): DashboardState {
    return this.#dashboard;
  }

  get isWatching(): boolean {
    return this.#watch !== undefined;
  }

  get measured(): boolean {
    return this.#source.measured;
  }

  /**
   * Resolves with the first fleet state, or with the current state after `millis`. Starts reading the source
   * for a viewer about to join.
   */
  async firstSight(millis: number): Promise<DashboardState> {
    this.#startWatching();
    this.#linger();
    if (this.#dashboard.t === 0 && this.#dashboard.problem === null) {
      const waiting = new AbortController();
      const seen = new Promise<void>((resolve) => {
        this.#seen = resolve;
      });
      await Promise.race([seen, this.#clock.sleep(millis, waiting.signal)]);
      waiting.abort();
    }
    return this.#dashboard;
  }

  /**
   * Sends every later change to the viewer; the state at this moment is `dashboard`. Returns a function that
   * leaves.
   */
  join(viewer: (change: DashboardChange) => void): () => void {
    this.#startWatching();
    this.#lingering?.abort();
    this.#viewers.add(viewer);
    return () => {
      if (this.#viewers.delete(viewer) && this.#viewers.size === 0) this.#linger();
    };
  }

  get viewerCount(): number {
    return this.#viewers.size;
  }

  /** Adds a log line from outside the fleet: a requested action, or its outcome. */
  note(text: string, tone: LogEntry["tone"] = "plain"): void {
    const t = this.#clock.wallMillis();
    this.#tell({ t, problem: this.#dashboard.problem, log: [{ t, text, tone }] });
  }

  async close(): Promise<void> {
    this.#lingering?.abort();
    const watch = this.#watch;
    watch?.stopping.abort();
    await watch?.ended;
  }

  #startWatching(): void {
    if (this.#watch !== undefined) return;
    // The events while there was no viewer are unknown, so the timeline restarts empty. The log and the
    // worker names are kept.
    const { log, workers } = this.#dashboard;
    this.#dashboard = { ...emptyDashboard(this.#source.title), log, workers };
    this.#lag = new RecordLag();
    this.#handovers = new Handovers();
    this.#fleet = undefined;
    this.#sampledAt = 0;
    const stopping = new AbortController();
    const listener = {
      state: (state: MonitorState) => this.#onState(state),
      event: (event: HistoryEvent) => this.#onEvent(event),
    };
    this.#watch = { stopping, ended: this.#source.watch(listener, stopping.signal) };
  }

  #linger(): void {
    this.#lingering?.abort();
    if (this.#viewers.size > 0) return;
    const lingering = new AbortController();
    this.#lingering = lingering;
    void this.#clock.sleep(LINGER_MILLIS, lingering.signal).then(async () => {
      if (lingering.signal.aborted || this.#viewers.size > 0) return;
      const watch = this.#watch;
      watch?.stopping.abort();
      await watch?.ended;
      if (this.#watch === watch) this.#watch = undefined;
      // A viewer may have joined while the poller was ending.
      if (this.#viewers.size > 0) this.#startWatching();
    });
  }

  #onEvent(event: HistoryEvent): void {
    this.#lag.observe(event);
    this.#handovers.observe(event);
  }

  #onState(state: MonitorState): void {
    const { fleet, problem } = state;
    const fresh = fleet !== undefined && fleet !== this.#fleet && problem === undefined;
    const now = this.#clock.wallMillis();
    const due = now - this.#sampledAt >= SAMPLE_MILLIS;
    const isNewProblem = (problem ?? null) !== this.#dashboard.problem;
    if (!fresh && !due && !isNewProblem) return;
    const news = fresh
      ? fleetChange(this.#dashboard, this.#numbering, {
          fleet,
          moves: state.moveCount,
          measured: this.#source.measured,
        })
      : { t: this.#dashboard.t, problem: problem ?? null };
    if (fresh) this.#fleet = fleet;
    const log = [...(news.log ?? [])];
    if (isNewProblem && problem !== undefined && this.#dashboard.problem === null)
      log.push({ t: now, text: problem, tone: "bad" });
    this.#tell({
      ...news,
      ...(log.length > 0 ? { log } : {}),
      ...(due ? this.#sample(state, now) : {}),
      ...this.#takeHandovers(),
    });
    this.#seen();
  }

  #sample({ flow }: MonitorState, now: number): Pick<DashboardChange, "sample" | "lag"> {
    this.#sampledAt = now;
    if (flow === undefined) return {};
    const owners = new Map(
      (this.#fleet?.leases ?? []).flatMap(({ leaseKey, owner }) =>
        owner === undefined ? [] : [[leaseKey, owner] as const],
      ),
    );
    const { inPerSecond, outPerSecond, pending } = flow;
    return {
      sample: { t: now, inPerSecond, outPerSecond, waiting: pending },
      lag: this.#lag.at(now, owners),
    };
  }

  /** Removes them from the collector: the dashboard keeps them, and it is bounded. */
  #takeHandovers(): Pick<DashboardChange, "handovers"> {
    this.#handovers.acquisitions.length = 0;
    const taken = this.#handovers.handovers.splice(0);
    if (taken.length === 0) return {};
    return {
      handovers: taken.map(({ readAt, shardId, from, to, gapMillis, planned }) => ({
        t: readAt,
        key: shardId,
        from,
        to,
        gapMillis,
        how: planned ? "handed over" : "taken over",
      })),
    };
  }

  #tell(change: DashboardChange): void {
    applyChange(this.#dashboard, change);
    for (const viewer of this.#viewers) viewer(change);
  }
}
