/** `report.html`: one file that needs no network. */
import type { Measurement } from "../measures/index.ts";
import { escapeHtml, table } from "./html.ts";
import type { Report } from "./report.ts";
import { measureRows, valueText } from "./rows.ts";

export function renderPage(report: Report, _measurement: Measurement): string {
  const checks = report.checks.map(({ name, expected, actual, ok }) => [
    name,
    String(expected),
    String(actual),
    ok ? "ok" : "NOT OK",
  ]);
  const rows = measureRows(report.measures).map(({ name, value, unit }) => [name, valueText(value, unit)]);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>evenkeel</title><h1>${escapeHtml(report.summary)}</h1>
${table(["check", "expected", "actual", ""], checks)}${table(["measure", "value"], rows)}</html>`;
}
