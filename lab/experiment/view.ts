/** The experiment's progress display. Pure: state in, lines out. */
import { type FleetState, shortWorker } from "../fleet/state.ts";
import type { Flow } from "../history/tail.ts";
import { type Paint, paint } from "../terminal/paint.ts";
import { duration } from "../terminal/table.ts";

export interface PhaseLine {
  readonly name: string;
  readonly state: "waiting" | "running" | "ok" | "failed";
  readonly text: string;
  readonly millis: number | undefined;
}

export interface ExperimentView {
  readonly phases: readonly PhaseLine[];
  readonly fleet: FleetState | undefined;
  readonly flow: Flow | undefined;
}

const MARKS = { waiting: "·", running: "▸", ok: "✓", failed: "✗" } as const;

export function renderExperiment(view: ExperimentView, width: number, colour: boolean): string[] {
  const style = paint(colour);
  const lines = view.phases.map((phase) => phaseLine(phase, style));
  if (view.fleet === undefined || view.fleet.workers.length === 0) return lines;
  const { fleet, flow } = view;
  lines.push("", ...fleet.workers.map((worker) => workerLine(worker, width, style)));
  const trouble = fleet.unowned.length > 0 ? style.red(`${fleet.unowned.length} unowned`) : "0 unowned";
  lines.push(
    style.dim("  shards  ") +
      `${fleet.load} live, ${trouble}, ${fleet.draining} draining, ${fleet.blocked} blocked, ${fleet.ended} ended`,
  );
  if (flow)
    lines.push(
      style.dim("  records ") +
        `${flow.produced} produced, ${flow.processed} handled, ${flow.pending} on the way`,
    );
  return lines;
}

function phaseLine(phase: PhaseLine, style: Paint): string {
  const mark = { waiting: style.dim, running: style.cyan, ok: style.green, failed: style.red }[phase.state](
    MARKS[phase.state],
  );
  const time = phase.millis === undefined ? "" : duration(phase.millis);
  const text = phase.state === "waiting" ? style.dim(phase.text) : phase.text;
  return `${mark} ${phase.name.padEnd(16)} ${time.padStart(8)}  ${text}`.trimEnd();
}

function workerLine(worker: FleetState["workers"][number], width: number, style: Paint): string {
  const room = Math.max(4, width - 36);
  const open = Math.min(worker.open, room);
  const draining = Math.min(worker.draining, room - open);
  const bar = style.green("█".repeat(open)) + style.yellow("▒".repeat(draining));
  return `  ${shortWorker(worker.workerId, 22).padEnd(22)} ${String(worker.open + worker.draining).padStart(3)} ${bar}`;
}
