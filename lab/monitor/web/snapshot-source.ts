/** Where the page's picture comes from: a deployment, or a script in tests. */
import type { HistoryEvent } from "../../../services/contract/history.ts";
import type { MonitorState } from "../monitor.ts";

export interface SourceListener {
  /** Whatever was seen, also when nothing is new. */
  state(state: MonitorState): void;
  /** Lines of the workers' and the producer's history, in the order of their time within what is read at once. */
  event(event: HistoryEvent): void;
}

export interface SnapshotSource {
  readonly title: string;
  /** Whether it tells history events: gaps and records waiting are measured then, and only seen from rows otherwise. */
  readonly measured: boolean;
  /** Looks until the signal aborts. Troubles are told as a state's `problem`; it does not reject. */
  watch(listener: SourceListener, signal: AbortSignal): Promise<void>;
}
