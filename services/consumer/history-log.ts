/**
 * The consumer container's history, one JSON line per event. On the embedded endpoint it goes to
 * `<directory>/<workerId>.jsonl`. Elsewhere it goes to the container's log, but only on request: CloudWatch
 * Logs bills by volume, and the history has a line per record. The lines of one event-loop iteration are
 * appended together, in order.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { HistoryEvent } from "../contract/history.ts";

export interface HistoryLog {
  write(event: HistoryEvent): void;
  /** On return, everything written so far is on disk (or in the log). */
  flush(): void;
}

export function historyToFile(directory: string, workerId: string): HistoryLog {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `${workerId.replaceAll(/[^\w.-]/g, "_")}.jsonl`);
  let lines: string[] = [];
  let scheduled = false;
  const flush = () => {
    scheduled = false;
    if (lines.length === 0) return;
    const text = lines.join("");
    lines = [];
    // Synchronous: a written line survives kill -9. One append per event-loop iteration is cheap.
    appendFileSync(file, text);
  };
  return {
    write(event) {
      lines.push(`${JSON.stringify(event)}\n`);
      if (scheduled) return;
      scheduled = true;
      setImmediate(flush);
    },
    flush,
  };
}

export const noHistory: HistoryLog = { write: () => undefined, flush: () => undefined };

export const historyToLog = (log: (event: HistoryEvent) => void): HistoryLog => ({
  write: log,
  flush: () => undefined,
});
