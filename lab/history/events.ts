/**
 * The `event` lines of a history, with their writer and their fields. Checkers and measures use only these
 * names. Other names and other fields stay in the file and have no effect.
 *
 * - `task-started` (consumer): worker. `t`: process start.
 * - `worker-joined` (consumer): worker. `t`: worker.start() resolved.
 * - `task-stopped` (consumer): worker. `t`: end of the process.
 * - `task-killed` (lab): worker. `t`: kill -9, or SIGSTOP. The worker's successor may repeat work.
 * - `split-requested` (lab): from?, to? (open shards). `t`: before the first split or merge is requested.
 * - `split-done` (lab): children: shard ids, parents: {child: [parent…]}. `t`: when the stream lists these
 *   children. Any number of such lines.
 * - `lineage` (lab): parents: {child: [parent…]}. `t`: any time (for streams that were resharded before).
 * - `scale-requested` (lab): from?, to? (pods). `t`: before the desired count changes.
 * - `stop-requested` (lab): no fields. `t`: before the teardown. Nothing after it is measured.
 * - `phase` (lab): phase: its name. `t`: that phase starts and the previous one ends.
 */
import type { HistoryEvent } from "../../services/contract/history.ts";

export type EventLine = Extract<HistoryEvent, { type: "event" }>;
export type Parents = Readonly<Record<string, readonly string[]>>;

const isStringList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

/** The children that an event names; empty if none. */
export const childrenOf = (event: EventLine): readonly string[] =>
  isStringList(event.children) ? event.children : Object.keys(parentsOf(event));

/** The parent/child relation of an event (split-done, lineage); empty if none. */
export function parentsOf(event: EventLine): Parents {
  const parents = event.parents;
  if (typeof parents !== "object" || parents === null) return {};
  return Object.fromEntries(Object.entries(parents).filter(([, list]) => isStringList(list)));
}

/** The worker that an event is about; undefined if it names none. */
export const workerOf = (event: EventLine): string | undefined =>
  typeof event.worker === "string" ? event.worker : undefined;
