/** The source of the page's data: a deployment, or a scripted source in tests. */
import type { HistoryEvent } from "../../../services/contract/history.ts";
import type { MonitorState } from "../monitor.ts";

export interface SourceListener {
  /** Called after every poll, even if nothing changed. */
  state(state: MonitorState): void;
  /** History lines of the workers and the producer. Lines read together come in time order. */
  event(event: HistoryEvent): void;
}

export interface SnapshotSource {
  readonly title: string;
  /**
   * Whether the source emits history events. If so, gaps and waiting records are measured; otherwise moves
   * are only derived from rows.
   */
  readonly measured: boolean;
  /** Runs until the signal aborts. Errors are reported as a state's `problem`; it does not reject. */
  watch(listener: SourceListener, signal: AbortSignal): Promise<void>;
}
