/** Reads history files as streams: memory does not grow with the file. */
import { createReadStream } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import type { HistoryEvent } from "../../services/contract/history.ts";
import { parseHistoryLine } from "./parse.ts";

export interface HistoryLine {
  readonly event: HistoryEvent;
  readonly text: string;
}

/** Findings of the reader. All corrupt lines are counted; only the first few are named. */
export interface ReadingNotes {
  lines: number;
  corruptLines: number;
  readonly corrupt: { readonly file: string; readonly line: number; readonly problem: string }[];
  /**
   * Files whose last line is cut off because their process was killed during a write. Expected after a kill
   * -9.
   */
  readonly halfWritten: string[];
}

const MAX_NAMED = 20;

export const newReadingNotes = (): ReadingNotes => ({
  lines: 0,
  corruptLines: 0,
  corrupt: [],
  halfWritten: [],
});

export class CorruptHistory extends Error {
  override readonly name = "CorruptHistory";
}

/**
 * Yields the valid lines of one file, one chunk at a time, in file order. A missing file throws as `fs` does.
 */
export async function* readHistoryLines(file: string, notes: ReadingNotes): AsyncGenerator<HistoryLine[]> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  let line = 0;
  const parse = (text: string, last: boolean): HistoryLine | undefined => {
    line += 1;
    if (text.trim() === "") return undefined;
    const parsed = parseHistoryLine(text);
    if ("event" in parsed) {
      notes.lines += 1;
      return { event: parsed.event, text };
    }
    if (last) notes.halfWritten.push(file);
    else {
      notes.corruptLines += 1;
      if (notes.corrupt.length < MAX_NAMED) notes.corrupt.push({ file, line, problem: parsed.problem });
    }
    return undefined;
  };
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 })) {
    const pieces = (rest + decoder.write(chunk as Buffer)).split("\n");
    rest = pieces.pop() ?? "";
    const lines: HistoryLine[] = [];
    for (const piece of pieces) {
      const read = parse(piece, false);
      if (read !== undefined) lines.push(read);
    }
    if (lines.length > 0) yield lines;
  }
  const read = parse(rest + decoder.end(), true);
  if (read !== undefined) yield [read];
}

/** The events of one file, for a caller that needs every line valid: the first corrupt line throws. */
export async function* readHistory(file: string): AsyncGenerator<HistoryEvent> {
  const notes = newReadingNotes();
  for await (const lines of readHistoryLines(file, notes)) {
    const bad = notes.corrupt[0];
    if (bad !== undefined) throw corrupt(bad);
    for (const { event } of lines) yield event;
  }
  const bad = notes.corrupt[0];
  if (bad !== undefined) throw corrupt(bad);
}

const corrupt = (bad: ReadingNotes["corrupt"][number]): CorruptHistory =>
  new CorruptHistory(
    `${bad.file}:${bad.line}: ${bad.problem}; expected one JSON object a line (docs/experiment.md)`,
  );
