/**
 * The producer's history: a file on the embedded endpoint; elsewhere the log (standard output), or no
 * history.
 */
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { HistorySink } from "./run-producer.ts";

export interface ClosableHistorySink extends HistorySink {
  /** Resolves when everything written has reached the operating system. */
  close(): Promise<void>;
}

/** Creates `directory` if it is missing. One file per process, named by `suffix`. */
export function fileHistory(directory: string, suffix: string): ClosableHistorySink {
  mkdirSync(directory, { recursive: true });
  const file = createWriteStream(join(directory, `producer-${suffix}.jsonl`), { flags: "a" });
  const sink = streamHistory(file);
  return {
    ...sink,
    async close() {
      file.end();
      await finished(file);
    },
  };
}

export const noHistory: ClosableHistorySink = {
  write: () => undefined,
  ready: async () => undefined,
  close: async () => undefined,
};

export function streamHistory(target: Writable): ClosableHistorySink {
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const onError = (error: Error) => {
    failure ??= error;
    wake?.();
  };
  target.on("error", onError);
  target.on("drain", () => wake?.());
  const check = () => {
    // A history with holes proves nothing, so the producer stops.
    if (failure !== undefined)
      throw new Error(`the history cannot be written: ${failure.message}`, { cause: failure });
  };
  return {
    write(event) {
      check();
      target.write(`${JSON.stringify(event)}\n`);
    },
    async ready() {
      while (failure === undefined && target.writableNeedDrain) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      check();
    },
    async close() {
      await this.ready();
    },
  };
}
