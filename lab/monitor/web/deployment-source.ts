/**
 * A deployment as the page's source. It reads the lease table with the terminal monitor's cheap poller, and
 * history files if there are any.
 */

import type { HistoryEvent } from "../../../services/contract/history.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { LeaseTable } from "../../fleet/lease-table.ts";
import { HistoryTail } from "../../history/tail.ts";
import { emptyMonitor } from "../monitor.ts";
import { watchFleet } from "../watch.ts";
import type { SnapshotSource, SourceListener } from "./snapshot-source.ts";

/** History from before the page was opened is not replayed. */
const FRESH_MILLIS = 15_000;

export interface DeploymentSourceOptions {
  readonly title: string;
  readonly table: LeaseTable;
  /** Undefined: the tasks write no history on this machine. */
  readonly historyFolder: string | undefined;
  readonly clock: Clock;
}

export function deploymentSource(options: DeploymentSourceOptions): SnapshotSource {
  const { title, table, historyFolder, clock } = options;
  let newest = emptyMonitor(title);
  let fresh: HistoryEvent[] = [];
  const keep = (event: HistoryEvent) => {
    if (event.t >= clock.wallMillis() - FRESH_MILLIS) fresh.push(event);
  };
  const tail = historyFolder === undefined ? undefined : new HistoryTail(historyFolder, keep);
  const flow = (listener: SourceListener) => async () => {
    const counts = await tail!.poll();
    const events = fresh.toSorted((a, b) => a.t - b.t);
    fresh = [];
    for (const event of events) listener.event(event);
    return counts;
  };
  return {
    title,
    measured: tail !== undefined,
    watch: (listener, signal) =>
      watchFleet(newest, {
        table,
        flow: tail && flow(listener),
        clock,
        signal,
        paused: () => false,
        onState: (state) => {
          newest = state;
          listener.state(state);
        },
      }),
  };
}
