/**
 * The `event` lines of a history: who writes them and what they must carry. Checkers and measures know no other
 * names; anything else in an `event` line is kept, shown nowhere and harmless.
 *
 * | name            | written by  | carries                                          | t |
 * |-----------------|-------------|--------------------------------------------------|---|
 * | task-started    | consumer    | worker                                           | process start |
 * | worker-joined   | consumer    | worker                                           | worker.start() resolved |
 * | task-stopped    | consumer    | worker                                           | end of the process |
 * | task-killed     | lab         | worker                                           | kill -9, or SIGSTOP: its successor may repeat work |
 * | split-requested | lab         | from?, to? (open shards)                         | before the first split or merge is asked for |
 * | split-done      | lab         | children: shard ids, parents: {child: [parent…]} | when the stream lists these children; any number of such lines |
 * | lineage         | lab         | parents: {child: [parent…]}                      | any time (for streams that were resharded before) |
 * | scale-requested | lab         | from?, to? (pods)                                | before the desired count is changed |
 * | stop-requested  | lab         | –                                                | before the teardown: nothing after it is measured |
 * | phase           | lab         | phase: its name                                  | that phase starts, the one before it ends |
 */
import type { HistoryEvent } from "../../services/contract/history.ts";

export type EventLine = Extract<HistoryEvent, { type: "event" }>;
export type Parents = Readonly<Record<string, readonly string[]>>;

const isStringList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

/** The children an event names; empty when it names none. */
export const childrenOf = (event: EventLine): readonly string[] =>
  isStringList(event.children) ? event.children : Object.keys(parentsOf(event));

/** The parent/child relation an event carries (split-done, lineage); empty when it carries none. */
export function parentsOf(event: EventLine): Parents {
  const parents = event.parents;
  if (typeof parents !== "object" || parents === null) return {};
  return Object.fromEntries(Object.entries(parents).filter(([, list]) => isStringList(list)));
}

/** The worker an event is about; undefined when it names none. */
export const workerOf = (event: EventLine): string | undefined =>
  typeof event.worker === "string" ? event.worker : undefined;
