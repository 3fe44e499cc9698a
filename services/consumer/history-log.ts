/**
 * What the consumer container tells about itself, line by line: to `<directory>/<workerId>.jsonl` on the embedded
 * endpoint; elsewhere to its log, where that is asked for. A line per record is what CloudWatch Logs bills by, so it is
 * not the default. Writes are gathered per turn of the event loop and appended in order.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { HistoryEvent } from "../contract/history.ts";

export interface HistoryLog {
  write(event: HistoryEvent): void;
  /** Everything written so far is on disk (or in the log) when this returns. */
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
    // Synchronous: a line that was written survives kill -9, and one append a turn is cheap.
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
