/**
 * Parses one line of a history file into an event or an error. Hand-written for speed: a run has millions of
 * lines.
 */
import type { HistoryEvent } from "../../services/contract/history.ts";

type Kind = "number" | "string" | "count" | "object";
type Shape = Readonly<Record<string, Kind>>;

const SHAPES: ReadonlyMap<unknown, readonly [string, Kind][]> = shapes({
  put: { key: "string", n: "count", shardId: "string", sequenceNumber: "string" },
  record: { worker: "string", shardId: "string", key: "string", n: "count", sequenceNumber: "string" },
  batch: { worker: "string", shardId: "string", count: "number", readAt: "number" },
  lease: { worker: "string", leaseKey: "string", action: "string", reason: "string" },
  leases: { owners: "object", checkpoints: "object" },
  event: { name: "string" },
});

const ACTIONS: ReadonlySet<unknown> = new Set([
  "claimed",
  "handed-over",
  "received",
  "lost",
  "completed",
  "released",
]);

export type ParsedLine = { readonly event: HistoryEvent } | { readonly problem: string };

export function parseHistoryLine(line: string): ParsedLine {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { problem: "not JSON" };
  }
  if (typeof value !== "object" || value === null) return { problem: "not an object" };
  const fields = value as Record<string, unknown>;
  const shape = SHAPES.get(fields.type);
  if (shape === undefined) return { problem: `unknown type ${shown(fields.type)}` };
  if (!Number.isFinite(fields.t)) return { problem: "t is not a number" };
  for (const [name, kind] of shape) {
    if (!isKind(fields[name], kind)) return { problem: `${name} of a ${fields.type} line is not a ${kind}` };
  }
  if (fields.type === "lease" && !ACTIONS.has(fields.action)) {
    return { problem: `unknown lease action ${shown(fields.action)}` };
  }
  return { event: value as HistoryEvent };
}

function isKind(value: unknown, kind: Kind): boolean {
  if (kind === "number") return Number.isFinite(value);
  if (kind === "count") return Number.isInteger(value) && (value as number) > 0;
  if (kind === "object") return typeof value === "object" && value !== null;
  return typeof value === "string";
}

function shapes(byType: Readonly<Record<string, Shape>>): Map<unknown, [string, Kind][]> {
  return new Map(Object.entries(byType).map(([type, shape]) => [type, Object.entries(shape)]));
}

const SHOWN_CHARACTERS = 80;

function shown(value: unknown): string {
  const text = String(JSON.stringify(value));
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
