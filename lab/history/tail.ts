/**
 * Follows the history files of the producer and the consumers while they grow. Counts the records put, and
 * those that no consumer has handled yet. Used for the progress display and for the end of the drain phase;
 * the proof reads the whole files again.
 */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { HistoryEvent } from "../../services/contract/history.ts";
import { parseHistoryLine } from "./parse.ts";

const CHUNK_BYTES = 1 << 18;
/**
 * Beyond this number, unhandled records are no longer tracked one by one (a run of hours without a consumer).
 */
const MAX_PENDING = 2_000_000;

export interface Flow {
  readonly produced: number;
  readonly processed: number;
  readonly pending: number;
  readonly newestPutAt: number | undefined;
}

export class HistoryTail {
  readonly #folder: string;
  readonly #observe: ((event: HistoryEvent) => void) | undefined;
  readonly #offsets = new Map<string, { offset: number; rest: string }>();
  /**
   * Records put but not handled, or handled before their put line was read: the files are read one after
   * another.
   */
  readonly #unmatched = new Map<string, "put" | "record">();
  #produced = 0;
  #processed = 0;
  #pending = 0;
  #newestPutAt: number | undefined;

  /** `observe` also receives every event of these files. */
  constructor(folder: string, observe?: (event: HistoryEvent) => void) {
    this.#folder = folder;
    this.#observe = observe;
  }

  /** Reads the lines added since the last call. */
  async poll(): Promise<Flow> {
    for (const name of await readdir(this.#folder)) {
      if (name.endsWith(".jsonl") && name !== "lab.jsonl") await this.#pollFile(name);
    }
    return {
      produced: this.#produced,
      processed: this.#processed,
      pending: this.#pending,
      newestPutAt: this.#newestPutAt,
    };
  }

  async #pollFile(name: string): Promise<void> {
    const state = this.#offsets.get(name) ?? { offset: 0, rest: "" };
    this.#offsets.set(name, state);
    const file = await open(join(this.#folder, name), "r");
    try {
      const buffer = Buffer.alloc(CHUNK_BYTES);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, state.offset);
        if (bytesRead === 0) return;
        // Keys and ids are ASCII. A cut multi-byte character would only make its own line unreadable here.
        const lines = (state.rest + buffer.toString("latin1", 0, bytesRead)).split("\n");
        state.offset += bytesRead;
        state.rest = lines.pop() ?? "";
        for (const line of lines) this.#take(line);
      }
    } finally {
      await file.close();
    }
  }

  #take(line: string): void {
    if (this.#observe === undefined && !line.includes('"put"') && !line.includes('"record"')) return;
    const parsed = parseHistoryLine(line);
    if ("problem" in parsed) return; // the proof reports corrupt lines
    const { event } = parsed;
    this.#observe?.(event);
    if (event.type !== "put" && event.type !== "record") return;
    const id = `${event.shardId}/${event.sequenceNumber}`;
    const other = this.#unmatched.get(id);
    if (event.type === "put") {
      this.#produced += 1;
      this.#newestPutAt = Math.max(this.#newestPutAt ?? 0, event.t);
    }
    if (other !== undefined && other !== event.type) {
      this.#unmatched.delete(id);
      this.#processed += 1;
      if (other === "put") this.#pending -= 1;
    } else if (other === undefined && this.#unmatched.size < MAX_PENDING) {
      this.#unmatched.set(id, event.type);
      if (event.type === "put") this.#pending += 1;
    }
  }
}
