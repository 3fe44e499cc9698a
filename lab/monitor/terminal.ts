/** The monitor as lines of text. Pure: state and size in, lines out. */

import { type FleetState, type Move, shortWorker, type WorkerView } from "../fleet/state.ts";
import { cut } from "../terminal/live-region.ts";
import { type Paint, paint } from "../terminal/paint.ts";
import type { MonitorState } from "./monitor.ts";

export interface View {
  readonly width: number;
  readonly height: number;
  readonly colour: boolean;
  readonly paused: boolean;
  /** Formats a wall-clock time. Passed in, so that this module stays pure. */
  readonly time: (epochMillis: number) => string;
}

/** The most moves shown. On a short terminal fewer fit, or none. */
const MAX_MOVES_SHOWN = 8;
const FIXED_LINES = 9;

export function renderMonitor(state: MonitorState, view: View): string[] {
  const style = paint(view.colour);
  const lines = [titleLine(state, view, style), ""];
  const { fleet } = state;
  if (fleet === undefined) lines.push(style.dim(state.problem ?? "reading the lease table …"));
  else if (fleet.workers.length === 0)
    lines.push(`${fleet.load} leases, no worker yet: npx evenkeel consumer starts one`);
  else lines.push(...workerLines(fleet, view, style));
  if (fleet !== undefined) {
    lines.push(
      "",
      shardsLine(fleet, view.width, style),
      movesLine(state, fleet, style),
      recordsLine(state, style),
    );
    lines.push(...fleet.corrupt.map((row) => style.red(`  unreadable row ${row}`)));
    const room = Math.min(MAX_MOVES_SHOWN, view.height - lines.length - 3);
    if (room > 0 && state.moves.length > 0)
      lines.push("", ...state.moves.slice(0, room).map((move) => moveLine(move, view, style)));
  }
  if (state.problem !== undefined && fleet !== undefined) lines.push(style.red(`  ${state.problem}`));
  return lines.map((line) => cut(line, view.width));
}

function titleLine(state: MonitorState, view: View, style: Paint): string {
  const at = state.fleet === undefined ? "" : view.time(state.fleet.t);
  const right = view.paused ? `paused ${at}` : at;
  const left = state.title.slice(0, Math.max(0, view.width - right.length - 1));
  return style.bold(left) + " ".repeat(Math.max(1, view.width - left.length - right.length)) + right;
}

function workerLines(fleet: FleetState, view: View, style: Paint): string[] {
  const longest = Math.max("worker".length, ...fleet.workers.map((w) => w.workerId.length));
  const nameWidth = Math.min(28, longest, Math.max("worker".length, view.width - 34));
  const most = Math.max(
    1,
    ...fleet.workers.map((w) => Math.max(w.open + w.draining + w.blocked, w.cap ?? 0)),
  );
  const barWidth = Math.max(5, view.width - nameWidth - 24);
  const perLease = Math.max(1, Math.min(2, Math.floor(barWidth / most)));
  const room = Math.max(1, view.height - FIXED_LINES);
  const shown = fleet.workers.slice(0, fleet.workers.length > room ? room - 1 : room);
  const head = `  ${"worker".padEnd(nameWidth)} owned /cap`;
  const lines = shown.map((worker) => workerLine(worker, { nameWidth, barWidth, perLease }, style));
  const hidden = fleet.workers.length - shown.length;
  return [style.dim(head), ...lines, ...(hidden > 0 ? [style.dim(`  … ${hidden} more workers`)] : [])];
}

interface Layout {
  readonly nameWidth: number;
  readonly barWidth: number;
  readonly perLease: number;
}

const STATE_WORDS: Record<WorkerView["state"], string> = {
  active: "",
  joining: "joining",
  leaving: "leaving",
  dead: "dead",
  unknown: "no member",
};

/**
 * `█` open, `▒` draining (a split parent being read to its end), `░` blocked by a parent, `·` room below the
 * cap.
 */
function workerLine(worker: WorkerView, { nameWidth, barWidth, perLease }: Layout, style: Paint): string {
  const owned = worker.open + worker.draining;
  const name = shortWorker(worker.workerId, nameWidth).padEnd(nameWidth);
  const cells = [
    style.green("█".repeat(Math.min(worker.open * perLease, barWidth))),
    style.yellow(
      "▒".repeat(Math.max(0, Math.min(worker.draining * perLease, barWidth - worker.open * perLease))),
    ),
    style.dim("░".repeat(Math.max(0, Math.min(worker.blocked * perLease, barWidth - owned * perLease)))),
    style.dim(
      "·".repeat(
        Math.max(
          0,
          Math.min(((worker.cap ?? 0) - owned) * perLease, barWidth - (owned + worker.blocked) * perLease),
        ),
      ),
    ),
  ];
  const cap = worker.cap === undefined ? "   -" : `/${worker.cap}`.padEnd(4);
  const word = STATE_WORDS[worker.state];
  const tone = worker.state === "dead" || worker.state === "unknown" ? style.red : style.yellow;
  return `  ${name} ${String(owned).padStart(5)} ${cap} ${cells.join("")}${word === "" ? "" : ` ${tone(word)}`}`;
}

/** Narrow terminals show only nonzero counts, and always the count of unowned shards. */
function shardsLine(fleet: FleetState, width: number, style: Paint): string {
  const unowned = `${fleet.unowned.length} unowned`;
  const rest = [
    [fleet.draining, "draining"],
    [fleet.blocked, "blocked"],
    [fleet.ended, "ended"],
  ] as const;
  const shown = rest.filter(([count]) => width >= 72 || count > 0).map(([count, word]) => `${count} ${word}`);
  return `  shards   ${[`${fleet.load} live`, fleet.unowned.length > 0 ? style.red(unowned) : unowned, ...shown].join(", ")}`;
}

function movesLine(state: MonitorState, fleet: FleetState, style: Paint): string {
  const toGo = fleet.plannedMoves === 0 ? "none to go" : style.yellow(`${fleet.plannedMoves} to go`);
  return `  moves    ${toGo}, ${state.moveCount} seen`;
}

function recordsLine({ flow }: MonitorState, style: Paint): string {
  if (flow === undefined) return style.dim("  records  not counted here (npx evenkeel metrics has them)");
  const rate = (perSecond: number) => `${Math.round(perSecond)}/s`;
  return `  records  ${rate(flow.inPerSecond)} in, ${rate(flow.outPerSecond)} handled, ${flow.pending} on the way`;
}

function moveLine({ t, leaseKey, from, to }: Move, view: View, style: Paint): string {
  const width = Math.max(8, Math.floor((view.width - 38) / 2));
  const name = (worker: string | undefined) => (worker === undefined ? "nobody" : shortWorker(worker, width));
  const shard = leaseKey.replace(/^shardId-0*(?=\d)/, "shard ");
  return style.dim(`  ${view.time(t)}  ${shard.padEnd(10)} ${name(from)} → ${name(to)}`);
}
