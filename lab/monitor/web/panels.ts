/**
 * The page's texts and tables. The server renders them into the first response; the page renders them again
 * on changes. Pure.
 */
import { html, type Markup } from "../../report/html.ts";
import { millisText } from "../../report/rows.ts";
import {
  type DashboardState,
  type DashboardWorker,
  isPresent,
  NOBODY,
  nameOf,
  shortShard,
  type Track,
  TURN,
} from "./dashboard-state.ts";

/** Element id → markup. No panel contains a focusable element, so replacing one never loses the focus. */
export function panels(dashboard: DashboardState, measured: boolean): Record<string, Markup> {
  return {
    tiles: tiles(dashboard),
    workers: workers(dashboard),
    attention: attention(dashboard),
    handovers: handovers(dashboard, measured),
    lag: lag(dashboard, measured),
    log: log(dashboard),
  };
}

export const timeText = (epochMillis: number): string => new Date(epochMillis).toTimeString().slice(0, 8);

/** One sentence: the page's headline, and the text a screen reader announces on a change. */
export function summaryText({ counts, workers: all }: DashboardState): string {
  if (counts === null) return "Reading the lease table …";
  const fleet = all.filter((worker) => takesPart(worker));
  if (counts.load === 0) return "No leases yet: the first worker makes them.";
  if (fleet.length === 0) return `No worker owns any of the ${counts.load} shards.`;
  const spread = fleet.map(owned).toSorted((a, b) => b - a);
  const shown = spread.length > 8 ? rangeText(spread) : spread.join("/");
  const rest = [
    counts.unowned > 0 ? `${counts.unowned} without an owner` : "",
    counts.draining > 0 ? `${counts.draining} draining` : "",
    counts.blocked > 0 ? `${counts.blocked} waiting for a parent` : "",
    counts.plannedMoves > 0 ? `${counts.plannedMoves} moves to go` : "",
  ].filter((text) => text !== "");
  const people = `${fleet.length} ${fleet.length === 1 ? "worker" : "workers"}`;
  return `${people}, ${counts.load} shards: ${shown}${rest.length > 0 ? `; ${rest.join(", ")}` : ", nothing left to move"}.`;
}

const rangeText = (falling: readonly number[]): string =>
  falling[0] === falling.at(-1) ? `${falling[0]} each` : `${falling.at(-1)} to ${falling[0]} each`;

const owned = (worker: DashboardWorker): number => worker.open + worker.draining;
const takesPart = (worker: DashboardWorker): boolean =>
  isPresent(worker) && (owned(worker) > 0 || worker.state === "active" || worker.state === "joining");

export function tiles({ counts, samples, workers: all }: DashboardState): Markup {
  const newest = samples.at(-1);
  const tile = (value: string | number, label: string, bad = false) =>
    html`<div class="tile${bad ? " bad" : ""}"><b>${value}</b><span>${label}</span></div>`;
  const c = counts;
  return html`${[
    tile(all.filter(takesPart).length, "workers"),
    tile(c?.load ?? "–", "live shards"),
    tile(c?.unowned ?? "–", "without an owner", (c?.unowned ?? 0) > 0),
    tile(c?.draining ?? "–", "draining parents"),
    tile(c?.blocked ?? "–", "waiting for a parent"),
    tile(c?.plannedMoves ?? "–", "moves to go"),
    tile(c?.moves ?? "–", "moves seen"),
    ...(newest === undefined
      ? []
      : [
          tile(`${Math.round(newest.inPerSecond)}/s`, "records put"),
          tile(`${Math.round(newest.outPerSecond)}/s`, "records handled"),
          tile(newest.waiting, "records waiting"),
        ]),
  ]}`;
}

const STATE_WORDS: Record<DashboardWorker["state"], string> = {
  active: "",
  joining: "joining",
  leaving: "leaving",
  dead: "dead",
  unknown: "no member",
  gone: "gone",
};

/**
 * Bars on one scale: solid open, hatched draining, faint blocked. The even share is a line, the cap a notch.
 */
export function workers(dashboard: DashboardState): Markup {
  const present = dashboard.workers.filter(isPresent);
  if (present.length === 0)
    return html`<p class="empty">No worker yet. <code>npx evenkeel consumer</code> starts one.</p>`;
  const fleet = present.filter((worker) => worker.state === "active" || worker.state === "joining");
  const share = fleet.length === 0 ? 0 : (dashboard.counts?.load ?? 0) / fleet.length;
  const most = Math.max(1, share, ...present.map((w) => Math.max(owned(w) + w.blocked, w.cap ?? 0)));
  const part = (count: number) => `${((count / most) * 100).toFixed(2)}%`;
  const row = (worker: DashboardWorker) => {
    const late = dashboard.lag?.workers[worker.id];
    const word = STATE_WORDS[worker.state];
    const cap = worker.cap === null ? "" : `/${worker.cap}`;
    return html`<li class="worker" title="${worker.id}"><span class="who"><i class="swatch" style="--c:var(--w${worker.colour})"></i><b>${worker.name}</b>${worker.name === worker.id ? "" : html` <code>${worker.id}</code>`}${word === "" ? "" : html` <span class="pill ${worker.state === "dead" || worker.state === "unknown" ? "bad" : "open"}">${word}</span>`}</span><span class="count">${owned(worker)}<small>${cap}</small></span><span class="bar" style="--c:var(--w${worker.colour})"><i class="open" style="width:${part(worker.open)}"></i><i class="draining" style="width:${part(worker.draining)}"></i><i class="blocked" style="width:${part(worker.blocked)}"></i>${share > 0 ? html`<s class="share" style="left:${part(share)}"></s>` : ""}${worker.cap === null ? "" : html`<s class="cap" style="left:${part(worker.cap)}"></s>`}</span><span class="late">${late === undefined ? "" : `${late.waiting} waiting, ${millisText(late.oldestMillis)}`}</span></li>`;
  };
  return html`<p class="note">Dashed line: the even share, ${share === Math.floor(share) ? share : share.toFixed(1)}. Notch: the worker's cap. Hatched: draining.</p><ul class="workers${present.length > 12 ? " many" : ""}">${present.map(row)}</ul>`;
}

const MAX_NAMED = 60;

/** Shards that are not simply owned and read. */
export function attention(dashboard: DashboardState): Markup {
  const inState = (holds: (worker: number, turn: number) => boolean) =>
    dashboard.tracks.filter(({ segments }) => {
      const last = segments.at(-1);
      return last !== undefined && holds(last[1], last[2]);
    });
  const names = new Map(dashboard.workers.map(({ number, name }) => [number, name]));
  const owner = ({ segments }: Track) => names.get(segments.at(-1)?.[1] ?? 0) ?? NOBODY;
  const line = (title: string, found: readonly Track[], text: (track: Track) => string, bad = false) =>
    found.length === 0
      ? ""
      : html`<p class="${bad ? "alarm" : ""}"><b>${title}: ${found.length}</b> <span>${found.slice(0, MAX_NAMED).map(text).join(", ")}${found.length > MAX_NAMED ? ", …" : ""}</span></p>`;
  const lines = [
    line(
      "No owner",
      inState((w, turn) => w === 0 && turn <= TURN.draining),
      ({ key }) => shortShard(key),
      true,
    ),
    line(
      "Draining",
      inState((_w, turn) => turn === TURN.draining),
      (t) => `${shortShard(t.key)} (${owner(t)})`,
    ),
    line(
      "Waiting for a parent",
      inState((_w, turn) => turn === TURN.blocked),
      ({ key, parents }) => `${shortShard(key)} (of ${parents.map(shortShard).join("+")})`,
    ),
    ...(dashboard.counts?.corrupt ?? [])
      .slice(0, 5)
      .map((row) => html`<p class="alarm"><b>Unreadable row</b> <span>${row}</span></p>`),
  ].filter((found): found is Markup => found !== "");
  return lines.length === 0
    ? html`<p class="empty">Every shard has an owner and is being read.</p>`
    : html`${lines}`;
}

const MAX_ROWS = 40;

export function handovers(dashboard: DashboardState, measured: boolean): Markup {
  if (dashboard.handovers.length === 0) return html`<p class="empty">None since this page looks on.</p>`;
  const rows = dashboard.handovers
    .slice(0, MAX_ROWS)
    .map(
      ({ t, key, from, to, gapMillis, how }) =>
        html`<tr><td class="time">${timeText(t)}</td><td class="num">${shortShard(key)}</td><td>${nameOf(dashboard, from)} → ${nameOf(dashboard, to)}${how === "taken over" ? html` <span class="pill bad">taken after an expiry</span>` : ""}</td><td class="num">${gapMillis === null ? "within a look" : millisText(gapMillis)}</td></tr>`,
    );
  const longest = Math.max(0, ...dashboard.handovers.map(({ gapMillis }) => gapMillis ?? 0));
  const more = dashboard.handovers.length > MAX_ROWS ? `, the newest ${MAX_ROWS} shown` : "";
  return html`<p class="note">${dashboard.handovers.length} kept${more}; longest gap ${millisText(longest)}${measured ? ", from the last batch of one to the first read of the other" : " without an owner, as seen in the rows"}.</p><table><thead><tr><th>at</th><th class="num">shard</th><th>from → to</th><th class="num">gap</th></tr></thead><tbody>${rows}</tbody></table>`;
}

export function lag(dashboard: DashboardState, measured: boolean): Markup {
  if (!measured)
    return html`<p class="empty">Records are not counted on this machine; <code>npx evenkeel metrics</code> has the lag.</p>`;
  const shards = dashboard.lag?.shards ?? [];
  if (shards.length === 0) return html`<p class="empty">No record waits.</p>`;
  return html`<table><thead><tr><th class="num">shard</th><th class="num">waiting</th><th class="num">oldest</th></tr></thead><tbody>${shards.map(
    ({ key, waiting, oldestMillis }) =>
      html`<tr><td class="num">${shortShard(key)}</td><td class="num">${waiting}</td><td class="num">${millisText(oldestMillis)}</td></tr>`,
  )}</tbody></table>`;
}

export function log(dashboard: DashboardState): Markup {
  if (dashboard.log.length === 0) return html`<p class="empty">Nothing yet.</p>`;
  return html`<ol class="log">${dashboard.log.map(({ t, text, tone }) => html`<li class="${tone}"><time>${timeText(t)}</time> ${text}</li>`)}</ol>`;
}

const TURN_WORDS = ["open", "draining", "waits for its parent", "read to its end", "row removed"];

/** The owner timeline as a table, for users who cannot use the canvas. */
export function ownersTable(dashboard: DashboardState): Markup {
  const names = new Map(dashboard.workers.map(({ number, name }) => [number, name]));
  const rows = dashboard.tracks.map(({ key, parents, segments }) => {
    const [from, worker, turn] = segments.at(-1) ?? [0, 0, TURN.open];
    return html`<tr><td>${key}</td><td>${names.get(worker) ?? NOBODY}</td><td>${TURN_WORDS[turn] ?? ""}</td><td>${parents.map(shortShard).join(", ")}</td><td class="time">${timeText(from)}</td></tr>`;
  });
  return html`<table><thead><tr><th>shard</th><th>owner</th><th>state</th><th>parents</th><th>since</th></tr></thead><tbody>${rows}</tbody></table>`;
}
