/**
 * The owner timeline: shards as rows, time along the x-axis, owners as colours. Drawn on a canvas, because
 * 1,000 DOM rows do not scroll well. Only visible rows are drawn. The canvas stays in place while an empty
 * box as high as all rows scrolls under it.
 */

import { millisText } from "../../../report/rows.ts";
import {
  type DashboardState,
  type DashboardWorker,
  NOBODY,
  nameOf,
  type Segment,
  shortShard,
  shownMillis,
  type Track,
  TURN,
} from "../dashboard-state.ts";
import { timeText } from "../panels.ts";
import { type CanvasTheme, hatches } from "./canvas-theme.ts";
import { byId, theme } from "./elements.ts";

const MAX_HEIGHT = 620;
const AXIS_HEIGHT = 20;
const ROW = { least: 3, most: 16 };
/** Lower rows have no room for text, so only every few rows are labelled. */
const TEXT_HEIGHT = 11;

export class OwnerTimeline {
  readonly #dashboard: () => DashboardState;
  readonly #now: () => number;
  readonly #box = byId("owners");
  readonly #all = this.#box.querySelector<HTMLElement>(".all")!;
  readonly #canvas = this.#box.querySelector("canvas")!;
  readonly #span = byId("span") as HTMLSelectElement;
  #theme: CanvasTheme | undefined;
  #legend = "";

  constructor(dashboard: () => DashboardState, now: () => number) {
    this.#dashboard = dashboard;
    this.#now = now;
    this.#box.addEventListener("scroll", () => this.draw(), { passive: true });
    this.#span.addEventListener("change", () => this.draw());
    this.#box.addEventListener("pointermove", (event) => this.#read(event));
    this.#box.addEventListener("pointerleave", () => {
      byId("reading").textContent = "\u00a0";
    });
  }

  /** Call when the colours or the size changed. */
  reset(): void {
    this.#theme = undefined;
  }

  #rowHeight(): number {
    const rows = Math.max(1, this.#dashboard().tracks.length);
    return Math.max(ROW.least, Math.min(ROW.most, Math.floor((MAX_HEIGHT - AXIS_HEIGHT) / rows)));
  }

  draw(): void {
    const { tracks, workers } = this.#dashboard();
    const rowHeight = this.#rowHeight();
    const width = this.#box.clientWidth;
    const whole = Math.max(80, tracks.length * rowHeight + AXIS_HEIGHT);
    const height = Math.min(MAX_HEIGHT, whole);
    this.#box.style.height = `${height}px`;
    this.#all.style.height = `${whole}px`;
    const scale = devicePixelRatio;
    const canvas = this.#canvas;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d")!;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const theme = this.#theme ?? hatches(context);
    this.#theme = theme;
    const view = this.#view(width);
    const byNumber = new Map(workers.map((worker) => [worker.number, worker]));
    const top = this.#box.scrollTop;
    const first = Math.floor(top / rowHeight);
    const last = Math.min(tracks.length, Math.ceil((top + height) / rowHeight));
    const every = Math.ceil(TEXT_HEIGHT / rowHeight);
    context.font = `${Math.min(11, Math.max(9, rowHeight - 4))}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    for (let row = first; row < last; row++) {
      const y = row * rowHeight - top;
      const track = tracks[row]!;
      this.#drawRow(context, theme, track, byNumber, { ...view, y, rowHeight });
      if (row % every === 0 && y + rowHeight / 2 < height - AXIS_HEIGHT) {
        context.fillStyle = theme.soft;
        context.textAlign = "right";
        const label = `${track.parents.length > 0 && every === 1 ? "└ " : ""}${shortShard(track.key)}`;
        context.fillText(label, view.left - 8, y + rowHeight / 2, view.left - 10);
      }
    }
    this.#drawHandovers(context, theme, { ...view, rowHeight, top });
    drawAxis(context, theme, { ...view, height });
  }

  #view(width: number) {
    const left = Number.parseInt(theme("--gutter"), 10);
    const right = width - Number.parseInt(theme("--right"), 10);
    const until = this.#now();
    const from = until - shownMillis(this.#dashboard(), until, Number(this.#span.value) * 1_000);
    const x = (t: number) =>
      left + ((Math.min(until, Math.max(from, t)) - from) / (until - from)) * (right - left);
    const at = (place: number) => from + ((place - left) / (right - left)) * (until - from);
    return { left, right, from, until, x, at };
  }

  #drawRow(
    context: CanvasRenderingContext2D,
    theme: CanvasTheme,
    { segments }: Track,
    workers: ReadonlyMap<number, DashboardWorker>,
    view: View & { y: number; rowHeight: number },
  ): void {
    const { x, y, left, right, from, until, rowHeight } = view;
    const high = rowHeight - (rowHeight > 6 ? 2 : rowHeight > 3 ? 1 : 0);
    context.fillStyle = theme.track;
    context.fillRect(left, y, right - left, high);
    segments.forEach(([since, number, turn]: Segment, i) => {
      const to = segments[i + 1]?.[0] ?? until;
      if (to <= from || turn >= TURN.ended) return;
      const start = x(since);
      const wide = Math.max(1, x(to) - start);
      const worker = workers.get(number);
      context.fillStyle =
        turn === TURN.blocked
          ? theme.waiting
          : number === 0
            ? theme.unowned
            : theme.worker(worker?.colour ?? 0);
      context.fillRect(start, y, wide, high);
      if (turn === TURN.draining && number !== 0) {
        context.fillStyle = theme.draining;
        context.fillRect(start, y, wide, high);
      }
      if (number === 0 || turn === TURN.blocked || rowHeight < TEXT_HEIGHT) return;
      const name = worker?.name ?? "";
      if (wide < context.measureText(name).width + 8) return;
      context.fillStyle = theme.onWorker;
      context.textAlign = "left";
      context.fillText(name, start + 4, y + high / 2);
    });
  }

  /** Draws each hand-over's gap over its row, as wide as the gap was long. */
  #drawHandovers(
    context: CanvasRenderingContext2D,
    theme: CanvasTheme,
    { x, from, rowHeight, top }: View & { rowHeight: number; top: number },
  ): void {
    const { tracks, handovers } = this.#dashboard();
    const rows = new Map(tracks.map(({ key }, i) => [key, i]));
    for (const { t, key, gapMillis, how } of handovers) {
      const row = rows.get(key);
      if (row === undefined || t < from) continue;
      const start = x(t - (gapMillis ?? 0));
      context.fillStyle = how === "taken over" ? theme.bad : theme.gap;
      context.fillRect(start, row * rowHeight - top, Math.max(1.5, x(t) - start), Math.max(1, rowHeight - 1));
    }
  }

  /** Describes in words what is under the pointer. */
  #read(event: PointerEvent): void {
    const box = this.#canvas.getBoundingClientRect();
    const view = this.#view(box.width);
    const dashboard = this.#dashboard();
    const row = Math.floor((event.clientY - box.top + this.#box.scrollTop) / this.#rowHeight());
    const track = dashboard.tracks[row];
    const t = view.at(event.clientX - box.left);
    const segment = track?.segments.findLast(([since]) => since <= t);
    const reading = byId("reading");
    if (track === undefined || segment === undefined || t < view.from) {
      reading.textContent = "\u00a0";
      return;
    }
    const [since, number, turn] = segment;
    const worker = dashboard.workers.find((known) => known.number === number);
    const owner =
      worker === undefined ? NOBODY : worker.name === worker.id ? worker.id : `${worker.name} (${worker.id})`;
    const states = ["", "draining, ", "waits for its parent, ", "read to its end, ", "row removed, "];
    const family =
      track.parents.length > 0 ? `, child of ${track.parents.map(shortShard).join(" and ")}` : "";
    const move = dashboard.handovers.find(
      ({ key, t: at }) => key === track.key && Math.abs(at - t) < (view.until - view.from) / 100,
    );
    const moved =
      move === undefined
        ? ""
        : ` · ${move.how} ${nameOf(dashboard, move.from)} → ${nameOf(dashboard, move.to)}${move.gapMillis === null ? "" : `, gap ${millisText(move.gapMillis)}`}`;
    reading.textContent = `${timeText(t)} · shard ${shortShard(track.key)}${family}: ${states[turn] ?? ""}${owner}, since ${timeText(since)}${moved}`;
  }

  legend(): void {
    const { workers, tracks } = this.#dashboard();
    const inSight = new Set(tracks.flatMap(({ segments }) => segments.map((segment) => segment[1])));
    const shown = workers.filter(({ number, state }) => state !== "gone" || inSight.has(number));
    // With more workers than colours, the names are in the rows and under the pointer.
    const few = shown.length > 12 ? [] : shown;
    const items = [
      ...few.map(({ colour, name }) => ["", `--w${colour}`, name] as const),
      ["unowned", "", "no owner"] as const,
      ["waiting", "", "waits for its parent"] as const,
      ["drains", "", "draining"] as const,
      ["moved", "", "hand-over gap"] as const,
    ];
    const many = few.length < shown.length ? "more workers than colours: point at a row for its owner" : "";
    const key = JSON.stringify([items, many]);
    if (key === this.#legend) return;
    this.#legend = key;
    byId("legend").replaceChildren(
      ...items.map(([kind, variable, text]) => {
        const swatch = document.createElement("span");
        swatch.className = `swatch ${kind}`;
        if (variable !== "") swatch.style.setProperty("--c", `var(${variable})`);
        const item = document.createElement("li");
        item.append(swatch, text);
        return item;
      }),
      ...(many === "" ? [] : [Object.assign(document.createElement("li"), { textContent: many })]),
    );
  }
}

interface View {
  readonly left: number;
  readonly right: number;
  readonly from: number;
  readonly until: number;
  readonly x: (t: number) => number;
}

const STEPS = [5, 10, 15, 30, 60, 120, 300];
const MIN_TICK_PIXELS = 80;

function drawAxis(
  context: CanvasRenderingContext2D,
  theme: CanvasTheme,
  { left, right, from, until, x, height }: View & { height: number },
): void {
  const seconds = (until - from) / 1_000;
  const step = 1_000 * (STEPS.find((size) => ((right - left) * size) / seconds >= MIN_TICK_PIXELS) ?? 600);
  context.fillStyle = theme.card;
  context.fillRect(0, height - AXIS_HEIGHT, right + 40, AXIS_HEIGHT);
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "center";
  for (let t = Math.ceil(from / step) * step; t <= until; t += step) {
    context.fillStyle = theme.line;
    context.fillRect(x(t), height - AXIS_HEIGHT, 1, 4);
    context.fillStyle = theme.soft;
    if (x(t) > left + 20 && x(t) < right - 20)
      context.fillText(timeText(t), x(t), height - AXIS_HEIGHT / 2 + 2);
  }
}
