/** The live page's script: starts from the state delivered with the page and applies the server's changes. */
import { applyChange, type DashboardChange, type DashboardState } from "../dashboard-state.ts";
import type { PageStart } from "../page.ts";
import { ownersTable, panels, summaryText, timeText } from "../panels.ts";
import { connect } from "./connection.ts";
import { controls } from "./controls.ts";
import { byId } from "./elements.ts";
import { OwnerTimeline } from "./owner-timeline.ts";
import { RecordsChart } from "./records-chart.ts";

const PANELS_MILLIS = 250;
const REDRAW_MILLIS = 200;
const REDUCED_MOTION_MILLIS = 1_000;
/** A screen reader that announces every step of a rebalance announces nothing else. */
const SPOKEN_MILLIS = 5_000;

const start: PageStart = JSON.parse(byId("start").textContent ?? "");
let dashboard: DashboardState = start.dashboard;
/** The server's clock minus the browser's. */
let ahead = start.now - Date.now();
let token = start.token;
let shownAt = 0;
let dirty = true;
let pausedAt: number | undefined;
let connected = false;
let spokenAt = 0;

const now = () => pausedAt ?? Date.now() + ahead;
const picture = new OwnerTimeline(() => dashboard, now);
const chart = start.measured ? new RecordsChart() : undefined;
const buttons = controls(() => token);
const problem = byId("problem");
const status = byId("status");
const shown = new Map<string, string>();

/** Writes only differing markup: an unchanged panel keeps its selection and scroll position. */
function put(id: string, markup: string): void {
  if (shown.get(id) === markup) return;
  shown.set(id, markup);
  byId(id).innerHTML = markup;
}

function render(): void {
  dirty = false;
  shownAt = Date.now();
  for (const [id, { text }] of Object.entries(panels(dashboard, start.measured))) put(id, text);
  const summary = summaryText(dashboard);
  if (byId("summary").textContent !== summary) byId("summary").textContent = summary;
  if (byId("spoken").textContent !== summary && shownAt - spokenAt >= SPOKEN_MILLIS) {
    spokenAt = shownAt;
    byId("spoken").textContent = summary;
  }
  byId("clock").textContent = dashboard.t === 0 ? "nothing seen yet" : `seen at ${timeText(dashboard.t)}`;
  picture.legend();
  buttons?.offer(dashboard.workers);
  chart?.show(dashboard, now());
  if (table.open) renderTable();
}

const table = byId("as-table") as HTMLDetailsElement;
const renderTable = () => {
  table.querySelector("div")!.innerHTML = ownersTable(dashboard).text;
};
table.addEventListener("toggle", () => table.open && renderTable());

/** Shows why updates have stopped: the endpoint does not answer, or this page's own server does not. */
function say(trouble: "none" | "endpoint" | "server", text = ""): void {
  const words = { none: "live", endpoint: "no endpoint", server: "not connected" } as const;
  const label = trouble === "none" && pausedAt !== undefined ? "paused" : words[trouble];
  if (status.textContent !== label) status.textContent = label;
  status.className = `verdict ${trouble === "none" ? "ok" : "bad"}`;
  if (problem.textContent !== text) problem.textContent = text;
  problem.hidden = trouble === "none";
}

const SERVER_GONE =
  "This page's server does not answer: was monitor-leases --web stopped? Trying again; what is shown is from before.";

function sayHowItIs(): void {
  if (!connected) {
    say("server", SERVER_GONE);
  } else if (dashboard.problem === null) {
    say("none");
  } else {
    const since = dashboard.t === 0 ? "" : ` What is shown was seen at ${timeText(dashboard.t)}.`;
    say("endpoint", `The endpoint is gone or does not answer.${since} (${dashboard.problem})`);
  }
}

connect({
  onDashboard(message) {
    dashboard = message.dashboard;
    token = message.token;
    ahead = message.now - Date.now();
    connected = true;
    picture.reset();
    dirty = true;
    sayHowItIs();
  },
  onChange(change: DashboardChange, at: number) {
    applyChange(dashboard, change);
    ahead = at - Date.now();
    dirty = true;
    sayHowItIs();
  },
  onLost() {
    connected = false;
    sayHowItIs();
  },
});

const pause = byId("pause");
pause.addEventListener("click", () => {
  pausedAt = pausedAt === undefined ? now() : undefined;
  pause.setAttribute("aria-pressed", String(pausedAt !== undefined));
  pause.textContent = pausedAt === undefined ? "Pause" : "Go on";
  dirty = true;
  sayHowItIs();
});

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const repaint = () => {
  picture.reset();
  chart?.repaint();
  picture.draw();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
addEventListener("resize", repaint);

function tick(): void {
  if (!document.hidden) {
    if (dirty && pausedAt === undefined && Date.now() - shownAt >= PANELS_MILLIS) render();
    picture.draw();
  }
  setTimeout(tick, calm.matches ? REDUCED_MOTION_MILLIS : REDRAW_MILLIS);
}
render();
tick();
