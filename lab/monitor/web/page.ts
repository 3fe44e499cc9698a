/** The live page as one self-contained response: the current state, the style and the script. */
import { readFileSync } from "node:fs";
import { inProject } from "../../project.ts";
import { html, type Markup, raw, scriptJson } from "../../report/html.ts";
import { MAX_PERCENT, MAX_TASKS } from "./actions.ts";
import type { DashboardState } from "./dashboard-state.ts";
import { panels, summaryText } from "./panels.ts";

export interface LivePageContent {
  readonly dashboard: DashboardState;
  readonly script: string;
  readonly nonce: string;
  readonly token: string;
  readonly measured: boolean;
  readonly controls: boolean;
  readonly now: number;
}

/** The data that the script starts from. */
export interface PageStart {
  readonly dashboard: DashboardState;
  readonly token: string;
  readonly measured: boolean;
  readonly now: number;
}

export function renderLivePage({
  dashboard,
  script,
  nonce,
  token,
  measured,
  controls,
  now,
}: LivePageContent): string {
  const asset = (...path: string[]) => readFileSync(inProject(...path), "utf8");
  const start: PageStart = { dashboard, token, measured, now };
  const styles = ["theme", "page"].map((name) => raw(asset(`lab/report/assets/${name}.css`)));
  const filled = panels(dashboard, measured);
  const panel = (id: string, title: string, note = "") =>
    html`<section aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${note === "" ? "" : html`<p class="note">${note}</p>`}<div id="${id}">${filled[id] ?? ""}</div></section>`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${dashboard.title} · live leases</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${raw(asset("node_modules/uplot/dist/uPlot.min.css"))}
${styles}
${raw(asset("lab/monitor/web/assets/monitor.css"))}</style>
</head>
<body>
<a class="skip" href="#owners">To the owners of the shards</a>
<main>
<header class="top"><div class="verdict ok" id="status">live</div>
<div><h1 id="summary">${summaryText(dashboard)}</h1><p class="brand">${dashboard.title} · evenkeel live leases · <span id="clock"></span></p></div></header>
<p id="spoken" class="unseen" aria-live="polite"></p>
<p id="problem" class="problem" role="alert" ${raw(dashboard.problem === null ? "hidden" : "")}>${dashboard.problem ?? ""}</p>
<div class="tiles" id="tiles">${filled.tiles ?? ""}</div>
${controls ? controlsBar() : ""}
<section aria-labelledby="owners-title"><div class="head"><h2 id="owners-title">Owner of each shard</h2><div class="tools"><label>Shown <select id="span"><option value="60">1 minute</option><option value="180" selected>3 minutes</option><option value="600">10 minutes</option></select></label><button type="button" id="pause" aria-pressed="false">Pause</button></div></div>
<ul class="legend" id="legend"></ul>
<div class="owners" id="owners" tabindex="0" role="img" aria-label="Owner of each shard over time; the same as a table below"><div class="all"><canvas></canvas></div></div>
<p class="note reading" id="reading">&nbsp;</p>
<details id="as-table"><summary>The owners now, as a table</summary><div></div></details></section>
<div class="columns"><div>${panel("workers", "Leases per worker")}${panel("attention", "Shards to look at")}${panel("lag", "Slowest shards")}</div><div>${panel("handovers", "Hand-overs")}${panel("log", "What happened")}</div></div>
${measured ? html`<section aria-labelledby="records-title"><h2 id="records-title">Records waiting <small>put, not yet handled; dashed: handled a second</small></h2><div class="chart" id="records"></div></section>` : ""}
<noscript><p class="problem">This page needs its script to go on from here; what is shown is from the moment it was loaded.</p></noscript>
</main>
${controls ? killDialog() : ""}
<script type="application/json" id="start" nonce="${nonce}">${raw(scriptJson(start))}</script>
<script nonce="${nonce}">${raw(script)}</script>
</body></html>
`.text;
}

function controlsBar(): Markup {
  return html`<section class="controls" aria-labelledby="controls-title"><h2 id="controls-title">Do something to the fleet</h2>
<div class="forms">
<form data-order="split"><label for="percent">More shards by</label> <input id="percent" name="percent" type="number" min="1" max="${MAX_PERCENT}" value="50" required> <span aria-hidden="true">%</span> <button>Split</button></form>
<form data-order="scale"><label for="tasks">Consumer tasks</label> <input id="tasks" name="tasks" type="number" min="0" max="${MAX_TASKS}" value="5" required> <button>Scale</button></form>
<form data-order="kill"><label for="worker">Worker</label> <select id="worker" name="worker" required></select> <button class="danger">Kill …</button></form>
<output id="outcome" role="status"></output></div></section>`;
}

function killDialog(): Markup {
  return html`<dialog id="confirm" aria-labelledby="confirm-title"><form method="dialog"><h2 id="confirm-title">Kill <span id="victim"></span>?</h2><p>Its process gets SIGKILL. Its leases move on when they have expired; records since its last checkpoint may be handled a second time. ECS starts another task.</p><div class="tools"><button value="cancel" autofocus>Cancel</button> <button value="kill" class="danger">Kill it</button></div></form></dialog>`;
}
