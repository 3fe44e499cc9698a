/**
 * Merges many history files into one, ordered by time, in one streaming pass.
 *
 * Within one process the file order is authoritative, because its clock may step back. Lines of one file are
 * never reordered: a file's position in the merge is the highest `t` read from it so far. Lines of equal time
 * keep the order of `files`.
 */
import { open } from "node:fs/promises";
import type { HistoryEvent } from "../../services/contract/history.ts";
import { type HistoryLine, newReadingNotes, type ReadingNotes, readHistoryLines } from "./read.ts";

interface Source {
  readonly chunks: AsyncGenerator<HistoryLine[]>;
  lines: HistoryLine[];
  next: number;
  /** The highest t so far, including the next line. */
  time: number;
}

const WRITE_CHUNK_CHARACTERS = 1 << 18;

/** Writes `out` and passes every event to `observe`. `out` undefined: only observes. */
export async function mergeHistory(
  files: readonly string[],
  out: string | undefined,
  observe: (event: HistoryEvent) => void,
): Promise<ReadingNotes> {
  const notes = newReadingNotes();
  const sources: Source[] = [];
  const target = out === undefined ? undefined : await open(out, "w");
  try {
    for (const file of files) {
      const source: Source = {
        chunks: readHistoryLines(file, notes),
        lines: [],
        next: 0,
        time: Number.NEGATIVE_INFINITY,
      };
      if (await advance(source)) sources.push(source);
    }
    let text = "";
    while (sources.length > 0) {
      const source = sources.reduce((first, other) => (other.time < first.time ? other : first));
      const line = source.lines[source.next - 1] as HistoryLine;
      observe(line.event);
      text += `${line.text}\n`;
      if (text.length > WRITE_CHUNK_CHARACTERS) {
        await target?.write(text);
        text = "";
      }
      const more = source.next < source.lines.length ? step(source) : await advance(source);
      if (!more) sources.splice(sources.indexOf(source), 1);
    }
    await target?.write(text);
  } finally {
    await target?.close();
    for (const source of sources) await source.chunks.return(undefined);
  }
  return notes;
}

/** Steps within the current chunk. Synchronous: a promise per line is too slow for millions of lines. */
function step(source: Source): true {
  const line = source.lines[source.next] as HistoryLine;
  source.next += 1;
  source.time = Math.max(source.time, line.event.t);
  return true;
}

async function advance(source: Source): Promise<boolean> {
  const chunk = await source.chunks.next();
  if (chunk.done) return false;
  source.lines = chunk.value;
  source.next = 0;
  return step(source);
}
