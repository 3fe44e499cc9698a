/** The lab's own history file (`lab.jsonl`): one JSON object per line, in order, flushed by `close`. */
import { createWriteStream, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { HistoryEvent } from "../../services/contract/history.ts";

export class HistoryWriter {
  readonly #stream: WriteStream;
  #failure: Error | undefined;

  constructor(file: string) {
    this.#stream = createWriteStream(file, { flags: "a" });
    this.#stream.on("error", (error) => {
      this.#failure ??= error;
    });
  }

  /** Throws if an earlier line could not be written: a history with holes proves nothing. */
  write(event: HistoryEvent): void {
    if (this.#failure) throw this.#failure;
    this.#stream.write(`${JSON.stringify(event)}\n`);
  }

  async close(): Promise<void> {
    this.#stream.end();
    if (this.#failure === undefined) await finished(this.#stream);
    else throw this.#failure;
  }
}
