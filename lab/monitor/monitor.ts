/**
 * The monitor's state: the newest fleet state and the events since it started. Pure: snapshots and counts in,
 * state out. The terminal and the web page draw the same state.
 */
import { type FleetState, fleetState, type Move, movesBetween, type Snapshot } from "../fleet/state.ts";

export interface FlowCounts {
  readonly produced: number;
  readonly processed: number;
  readonly pending: number;
}

export interface MonitorState {
  readonly title: string;
  readonly fleet: FleetState | undefined;
  /** Newest first. */
  readonly moves: readonly Move[];
  readonly moveCount: number;
  /** Undefined: records are not counted here (no history files of the tasks on this machine). */
  readonly flow: (FlowCounts & { readonly inPerSecond: number; readonly outPerSecond: number }) | undefined;
  /** Counts over the last seconds, oldest first. The rates are computed from them. */
  readonly flowHistory: readonly (FlowCounts & { readonly t: number })[];
  /** The reason why no updates arrive, if none do. */
  readonly problem: string | undefined;
}

const MAX_MOVES = 50;
const RATE_WINDOW_MILLIS = 5_000;

export const emptyMonitor = (title: string): MonitorState => ({
  title,
  fleet: undefined,
  moves: [],
  moveCount: 0,
  flow: undefined,
  flowHistory: [],
  problem: undefined,
});

export function withSnapshot(state: MonitorState, snapshot: Snapshot): MonitorState {
  const fleet = fleetState(snapshot);
  const fresh = state.fleet === undefined ? [] : movesBetween(state.fleet, fleet);
  return {
    ...state,
    fleet,
    moves: [...fresh.toReversed(), ...state.moves].slice(0, MAX_MOVES),
    moveCount: state.moveCount + fresh.length,
    problem: undefined,
  };
}

export function withFlow(state: MonitorState, t: number, counts: FlowCounts): MonitorState {
  const flowHistory = [...state.flowHistory, { t, ...counts }].filter(
    (sample, i, all) => t - sample.t <= RATE_WINDOW_MILLIS || i === all.length - 1,
  );
  const oldest = flowHistory[0];
  const seconds = oldest === undefined ? 0 : (t - oldest.t) / 1_000;
  const rate = (now: number, then: number) => (seconds > 0 ? Math.max(0, now - then) / seconds : 0);
  return {
    ...state,
    flowHistory,
    flow: {
      ...counts,
      inPerSecond: rate(counts.produced, oldest?.produced ?? 0),
      outPerSecond: rate(counts.processed, oldest?.processed ?? 0),
    },
  };
}

export const withProblem = (state: MonitorState, problem: string): MonitorState => ({ ...state, problem });
