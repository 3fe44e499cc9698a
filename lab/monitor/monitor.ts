/**
 * What the monitor knows: the newest fleet state and what has happened since it began. Pure: snapshots and counts
 * in, state out; the terminal and the web page draw the same one.
 */
import { type FleetState, fleetState, type Move, movesBetween, type Snapshot } from "./model.ts";

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
  /** Undefined: this place does not say (no history files of the tasks on this machine). */
  readonly flow: (FlowCounts & { readonly inPerSecond: number; readonly outPerSecond: number }) | undefined;
  /** Counts over the last seconds, oldest first: what the rates are worked out from. */
  readonly flowHistory: readonly (FlowCounts & { readonly t: number })[];
  /** Why nothing new comes, when nothing does. */
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
