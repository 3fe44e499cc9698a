/**
 * The owner timeline, as HTML. It has its own renderer because the report needs a static, printable strip of
 * coloured intervals. The maintained timeline libraries (such as vis-timeline) are interactive editors of
 * half a megabyte that draw nothing without their script.
 */
import type { Handover } from "../measures/handovers.ts";
import { escapeHtml } from "./html.ts";
import type { PageData } from "./page-data.ts";
import { millisText } from "./rows.ts";
import type { Segment, ShardRow } from "./shard-rows.ts";

export function ownerTimeline(data: PageData): string {
  const workers = new Map(data.workers.map((worker, i) => [worker.id, { ...worker, number: i + 1 }]));
  const scale = (t: number): string =>
    (((t - data.startedAt) / (data.endedAt - data.startedAt)) * 100).toFixed(3);
  const span = (from: number, to: number): string =>
    `left:${scale(from)}%;width:${(Number(scale(to)) - Number(scale(from))).toFixed(3)}%`;
  const nameOf = (id: string): string => workers.get(id)?.name ?? id;

  const segment = ({ from, to, state }: Segment): string => {
    const seconds = `${at(data, from)} to ${at(data, to)}`;
    if (state.kind !== "owned") {
      const text = state.kind === "waiting" ? "waits for its parent" : "no owner";
      return `<i class="${state.kind}" style="${span(from, to)}" title="${text}, ${seconds}"></i>`;
    }
    const worker = workers.get(state.worker);
    const name = nameOf(state.worker);
    return `<i class="w" style="${span(from, to)};--c:var(--w${worker?.number ?? 0})" title="${escapeHtml(`${name} (${state.worker}), ${seconds}`)}"><b>${escapeHtml(name)}</b></i>`;
  };
  const handover = (move: Handover): string => {
    const kind = move.planned ? "hand-over" : "take-over";
    const title = `${kind} ${nameOf(move.from)} → ${nameOf(move.to)} at ${at(data, move.readAt)}, gap ${millisText(move.gapMillis)}`;
    return `<u class="${move.planned ? "handover" : "takeover"}" style="${span(move.finishedAt, Math.max(move.finishedAt, move.readAt))}" title="${escapeHtml(title)}"></u>`;
  };
  const row = ({ shardId, parents, segments, handovers }: ShardRow): string =>
    `<div class="row"><span class="shard${parents.length > 0 ? " child" : ""}" title="${escapeHtml(parents.length > 0 ? `${shardId}, child of ${parents.join(" and ")}` : shardId)}">${escapeHtml(shortName(shardId))}</span><div class="track">${segments.map(segment).join("")}${handovers.map(handover).join("")}</div></div>`;

  const marks = data.marks
    .map(({ t, label }) => `<em style="left:${scale(t)}%"><span>${escapeHtml(label)}</span></em>`)
    .join("");
  const hidden =
    data.hiddenRows === 0
      ? ""
      : `<p class="note">${data.hiddenRows} more shards, which changed hands less, are not shown.</p>`;
  return `<div class="timeline" role="img" aria-label="Owner of each shard over time; the same figures are in the tables below">
<div class="row marks"><span class="shard"></span><div class="track">${marks}</div></div>
${data.rows.map(row).join("\n")}
<div class="row axis"><span class="shard"></span><div class="track">${axis(data, scale)}</div></div>
<div class="cursor" hidden></div></div>${hidden}`;
}

export function legend({ workers, rows }: PageData): string {
  const items = workers.map(({ id, name, startedAt, killed }, i) => {
    const how = startedAt === undefined ? "start not seen" : killed ? "killed" : "";
    return `<li><span class="swatch" style="--c:var(--w${i + 1})"></span><b>${escapeHtml(name)}</b> <code>${escapeHtml(id)}</code>${how === "" ? "" : ` <small>${how}</small>`}</li>`;
  });
  const expired = rows.some(({ handovers }) => handovers.some(({ planned }) => !planned));
  return `<ul class="legend">${items.join("")}<li><span class="swatch unowned"></span>no owner</li><li><span class="swatch waiting"></span>waits for its parent</li><li><span class="swatch moved"></span>hand-over gap</li>${expired ? '<li><span class="swatch expired"></span>gap after an expiry</li>' : ""}</ul>`;
}

const at = (data: PageData, t: number): string => `+${((t - data.startedAt) / 1_000).toFixed(1)} s`;

/** shardId-000000000012 → 12: the long form repeats the same zeros on every row. */
const shortName = (shardId: string): string => /^shardId-0*(\d+)$/.exec(shardId)?.[1] ?? shardId;

function axis(data: PageData, scale: (t: number) => string): string {
  const seconds = (data.endedAt - data.startedAt) / 1_000;
  const step =
    [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600].find((size) => seconds / size <= 12) ??
    Math.ceil(seconds / 12);
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => i * step);
  return ticks
    .map((tick) => `<s style="left:${scale(data.startedAt + tick * 1_000)}%">${tick} s</s>`)
    .join("");
}
