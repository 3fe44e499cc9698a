/**
 * `report.html`: one file that needs no network. Tables and the owner timeline are plain HTML; uPlot draws
 * the time series.
 */
import { readFileSync } from "node:fs";
import type { Measurement } from "../measures/index.ts";
import { inProject } from "../project.ts";
import { html, type Markup, raw, scriptJson } from "./html.ts";
import { type PageData, pageData } from "./page-data.ts";
import type { Report, ReportCheck } from "./report.ts";
import { measureRows, millisText, readableTimes, valueText } from "./rows.ts";
import { seedTimeline } from "./seed-timeline.ts";
import { legend, ownerTimeline } from "./timeline.ts";

export function renderPage(report: Report, measurement: Measurement): string {
  const data = pageData(measurement, report.settings.maxLeasesLimit);
  const asset = (...path: string[]) => readFileSync(inProject(...path), "utf8");
  const date = new Date(data.startedAt).toISOString().replace("T", " ").slice(0, 16);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${report.ok ? "OK" : "NOT OK"}: evenkeel rebalancing report, ${date} UTC</title>
<style>${raw(asset("node_modules/uplot/dist/uPlot.min.css"))}
${["theme", "page", "print"].map((name) => raw(asset(`lab/report/assets/${name}.css`)))}</style>
</head>
<body><main>
<header class="top"><div class="verdict ${report.ok ? "ok" : "bad"}">${report.ok ? "✔ OK" : "✘ NOT OK"}</div>
<div><h1>${readableTimes(report.summary, data.startedAt)}</h1><p class="brand">evenkeel rebalancing report · ${date} UTC · ${millisText(report.measures.durationMillis)} · ${report.settings.timeline} timeline</p></div></header>
${tiles(report)}
${charts(data, report.settings.maxLeasesLimit)}
${seedSection(report, measurement, data)}
${checks(report.checks, data.startedAt)}
<div class="columns"><div>${goals(report)}${distributions(report)}${calls(report)}</div><div>${measures(report)}${settings(report)}</div></div>
${reproduce(report)}
<footer>All figures were computed from <code>history.jsonl</code> beside this file (${report.history.lines} lines); <code>report.json</code> holds them for programs.</footer>
</main>
<script type="application/json" id="data">${raw(scriptJson(chartData(data)))}</script>
<script>${raw(asset("node_modules/uplot/dist/uPlot.iife.min.js"))}</script>
<script>${raw(asset("lab/report/assets/page.js"))}</script>
</body></html>
`.text;
}

function chartData(data: PageData): object {
  return {
    seconds: (data.endedAt - data.startedAt) / 1_000,
    workers: data.workers.map(({ name }) => name),
    leases: [data.leases.x, ...data.leases.y],
    lag: [data.lag.x, ...data.lag.y],
    marks: data.marks.map(({ t, label }) => ({ at: (t - data.startedAt) / 1_000, label })),
  };
}

function tiles({ measures, settings }: Report): Markup {
  const ms = (value: number | null | undefined) => valueText(value ?? null, "ms");
  const shown: [string, string, boolean][] = [
    [ms(measures.initialBalanceMillis), "workers started → even", measures.initialBalanceMillis !== null],
    [
      ms(measures.childDetectionMillis?.max),
      "split → every child has a lease",
      settings.splitTo === settings.shards || measures.childDetectionMillis !== null,
    ],
    [ms(measures.convergenceMillis), "workers added → even, staying so", measures.convergenceMillis !== null],
    [
      `${measures.leaseMoves ?? "—"} of ${measures.minimumLeaseMoves ?? "—"}`,
      "lease moves, of the fewest possible",
      true,
    ],
    [ms(measures.handoffGapMillis?.p99), "hand-over gap, p99", true],
    [
      `${measures.lost} / ${measures.duplicates} / ${measures.orderViolations}`,
      measures.duplicatesAfterCrash > 0
        ? `lost / doubled (${measures.duplicatesAfterCrash} after a kill) / out of order`
        : "lost / doubled / out of order",
      measures.lost + measures.duplicates - measures.duplicatesAfterCrash + measures.orderViolations === 0,
    ],
  ];
  return html`<div class="tiles">${shown.map(([value, label, good]) => html`<div class="tile${good ? "" : " bad"}"><b>${value}</b><span>${label}</span></div>`)}</div>`;
}

function charts(data: PageData, limit: number): Markup {
  const end = (data.endedAt - data.startedAt) / 1_000;
  return html`<section><h2>What happened</h2>
<p class="note noprint">Point at a chart, or move the slider with the arrow keys: all charts show the same moment.</p>
<div class="scrub"><input type="range" id="time" min="0" max="${end}" step="${Math.max(0.1, Math.round(end / 60) / 10)}" value="0" aria-label="Moment shown, seconds since the start"><output id="reading" for="time"></output></div>
${raw(legend(data))}
<h3>Leases per worker <small>dashed: the even share, min(${limit}, shards / workers); equal counts are drawn side by side</small></h3><div class="chart" id="leases"></div>
<h3>Owner of each shard</h3>${raw(ownerTimeline(data))}
<h3>Records waiting <small>put, not yet handled</small></h3><div class="chart" id="waiting"></div>
<h3>Slowest record <small>put → handler</small></h3><div class="chart" id="slowest"></div>
${handovers(data)}</section>`;
}

const MAX_HANDOVERS = 200;

/** The timeline's hand-overs as a table, longest gap first, for use without a pointer and on paper. */
function handovers({ rows, workers, startedAt }: PageData): Markup | "" {
  const all = rows.flatMap((row) => row.handovers).toSorted((a, b) => b.gapMillis - a.gapMillis);
  if (all.length === 0) return "";
  const names = new Map(workers.map(({ id, name }) => [id, name]));
  const cells = all
    .slice(0, MAX_HANDOVERS)
    .map(
      ({ shardId, from, to, readAt, gapMillis, planned }) =>
        html`<tr><td>${shardId}</td><td>${names.get(from) ?? from} → ${names.get(to) ?? to}</td><td>${planned ? "handed over" : "taken after an expiry"}</td><td class="num">${((readAt - startedAt) / 1_000).toFixed(1)} s</td><td class="num">${millisText(gapMillis)}</td></tr>`,
    );
  const shown =
    all.length > MAX_HANDOVERS ? `the ${MAX_HANDOVERS} longest gaps of ${all.length}` : `all ${all.length}`;
  return html`<details><summary>Hand-overs: ${shown}</summary><table><thead><tr><th>shard</th><th>workers</th><th></th><th class="num">at</th><th class="num">gap</th></tr></thead><tbody>${cells}</tbody></table></details>`;
}

function seedSection({ measures, settings }: Report, measurement: Measurement, data: PageData): Markup {
  const rows = seedTimeline(measurement, measures, settings, data.startedAt);
  return html`<section class="whole"><h2>The expected timeline, and the measured one</h2>
<p class="note">The original experiment's schedule on the left; ${settings.timeline === "fast" ? "the fast timeline goes on as soon as a phase is seen to be done" : "this run kept it"}.</p>
<table><thead><tr><th>seed</th><th>expected</th><th class="num">measured</th><th></th></tr></thead><tbody>${rows.map(
    (row) =>
      html`<tr><td class="time">${row.seedTime}</td><td>${row.seedExpects}</td><td class="num">${row.measuredTime}</td><td>${row.measured}</td></tr>`,
  )}</tbody></table></section>`;
}

function checks(all: readonly ReportCheck[], startedAt: number): Markup {
  const witnesses = ({ witnesses: seen = [] }: ReportCheck) =>
    seen.length === 0
      ? ""
      : html`<ul class="witnesses">${seen.map(({ text }) => html`<li>${readableTimes(text, startedAt)}</li>`)}</ul>`;
  return html`<section><h2>Checks</h2><p class="note">Each must hold for the verdict. One that cannot be told (unknown) counts as failed.</p>
<table><thead><tr><th>check</th><th>expected</th><th>actual</th><th></th></tr></thead><tbody>${all.map(
    (check) =>
      html`<tr><td>${check.name}${check.note === undefined ? "" : html`<br><small>${check.note}</small>`}${witnesses(check)}</td><td>${check.expected}</td><td>${check.actual}</td><td class="num">${pill(check.ok, check.ok ? "ok" : check.verdict === "unknown" ? "unknown" : "failed")}</td></tr>`,
  )}</tbody></table></section>`;
}

const pill = (good: boolean, text: string): Markup =>
  html`<span class="pill ${good ? "ok" : "bad"}">${text}</span>`;

function goals({ goals: all }: Report): Markup {
  return html`<section><h2>Goals</h2><p class="note">Shown for comparison, they do not decide.</p><table><thead><tr><th>measure</th><th class="num">goal</th><th class="num">actual</th><th></th></tr></thead><tbody>${all.map(
    ({ name, goal, actual, met }) =>
      html`<tr><td>${name}</td><td class="num">${goal}</td><td class="num">${actual}</td><td class="num">${met ? pill(true, "met") : html`<span class="pill open">not met</span>`}</td></tr>`,
  )}</tbody></table></section>`;
}

function distributions({ measures: { distributions: all } }: Report): Markup | "" {
  if (all.length === 0) return "";
  return html`<section><h2>Leases at the end of each phase</h2><table><tbody>${all.map(
    ({ phase, leases, unowned }) =>
      html`<tr><td>${phase}</td><td class="num">${
        Object.values(leases)
          .toSorted((a, b) => b - a)
          .join("/") || "none"
      }</td><td class="num">${unowned === 0 ? "" : `${unowned} unowned`}</td></tr>`,
  )}</tbody></table></section>`;
}

function calls({ measures: { apiCalls, durationMillis } }: Report): Markup {
  const rows = Object.entries(apiCalls).toSorted(([, a], [, b]) => b - a);
  if (rows.length === 0)
    return html`<section><h2>API calls</h2><p class="note">This endpoint does not count calls.</p></section>`;
  return html`<section><h2>API calls of the consumers</h2><table><thead><tr><th>operation</th><th class="num">calls</th><th class="num">a minute</th></tr></thead><tbody>${rows.map(
    ([operation, count]) =>
      html`<tr><td>${operation}</td><td class="num">${count}</td><td class="num">${((count * 60_000) / Math.max(1, durationMillis)).toFixed(0)}</td></tr>`,
  )}</tbody></table></section>`;
}

function measures({ measures: all }: Report): Markup {
  const rows = measureRows(all).filter(({ value }) => value !== null);
  return html`<section><h2>Measures</h2><table><tbody>${rows.map(
    ({ name, value, unit }) => html`<tr><td>${name}</td><td class="num">${valueText(value, unit)}</td></tr>`,
  )}</tbody></table></section>`;
}

function settings({ settings: { bounds, ...own } }: Report): Markup {
  return html`<section><h2>Settings</h2><table><tbody>${Object.entries({ ...own, ...bounds }).map(
    ([name, value]) => html`<tr><td><code>${name}</code></td><td class="num">${String(value)}</td></tr>`,
  )}</tbody></table></section>`;
}

function reproduce({ settings: { shards, splitTo, pods, scaleTo, rate, timeline } }: Report): Markup {
  const command = `npm start -- --shards ${shards} --split-to ${splitTo} --pods ${pods} --scale-to ${scaleTo} --rate ${rate} --timeline ${timeline}`;
  return html`<section><h2>To see it again</h2><pre>git clone … && cd evenkeel
${command}
npx evenkeel analyze-rebalancing out/report.json   # these figures, in the terminal</pre></section>`;
}
