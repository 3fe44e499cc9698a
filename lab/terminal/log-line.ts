/**
 * Formats a service's JSON log line for a terminal: time, level if it is not "info", message, then the other
 * fields as name=value. Pure.
 */
import type { Paint } from "./paint.ts";

const LEVELS: Readonly<Record<number, string>> = {
  10: "trace",
  20: "debug",
  30: "",
  40: "warn",
  50: "error",
  60: "fatal",
};
const WARN = 40;
const HIDDEN = new Set(["level", "time", "msg", "service", "pid", "hostname", "err"]);

/** Text that is not a JSON log line is returned unchanged. `time` formats a wall-clock time. */
export function logLine(text: string, style: Paint, time: (epochMillis: number) => string): string {
  const entry = parse(text);
  if (entry === undefined) return text;
  const level = typeof entry.level === "number" ? entry.level : 30;
  const at = typeof entry.time === "number" ? entry.time : Date.parse(String(entry.time));
  const word = LEVELS[level] ?? "";
  const tone = level > WARN ? style.red : level === WARN ? style.yellow : (plain: string) => plain;
  const rest = Object.entries(entry)
    .filter(([name]) => !HIDDEN.has(name))
    .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`);
  const why = messageOf(entry.err);
  return [
    style.dim(Number.isNaN(at) ? "" : time(at)),
    ...(word === "" ? [] : [tone(word)]),
    tone(String(entry.msg ?? "")),
    ...(why === undefined ? [] : [tone(why)]),
    ...(rest.length === 0 ? [] : [style.dim(rest.join(" "))]),
  ].join("  ");
}

function parse(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not a log line
  }
}

function messageOf(err: unknown): string | undefined {
  return typeof err === "object" && err !== null && "message" in err ? String(err.message) : undefined;
}
