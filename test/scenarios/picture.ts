/** How a step is shown: at most 80 columns, shards by number, nothing that depends on a millisecond. */
import type { Lease } from "../../src/core/lease.ts";
import { type Move, ownerOf, type Step, shortName } from "./scene.ts";

const NAME_WIDTH = 16;
/** Inside the four columns of indentation. */
const LINE_WIDTH = 76;

export function picture(step: Step): string[] {
  const { runnable, blocked, ended } = step;
  const owned = (owner: string | undefined) => runnable.filter((l) => ownerOf(l) === owner);
  const members = step.members.toSorted((a, b) => (a.workerId < b.workerId ? -1 : 1));
  const known = new Set(members.map((m) => m.workerId));
  const strangers = new Set(runnable.map(ownerOf).filter((id) => id !== undefined && !known.has(id)));
  const rows = members.map((m) => row(nameOf(m), owned(m.workerId)));
  for (const stranger of strangers) rows.push(row(`${stranger} (gone)`, owned(stranger)));
  if (owned(undefined).length > 0) rows.push(row("nobody", owned(undefined)));
  if (blocked.length > 0) rows.push(row("behind parents", blocked));
  if (ended.length > 0) rows.push(row("read to the end", ended));
  return [`at ${(step.atMillis / 1_000).toFixed(1)} s`, ...rows.flat(), ...happenings(step)];
}

/** Leases per active worker, most first: `7/7/6`. */
export const distribution = (step: Step): string =>
  step.members
    .filter((m) => m.state === "active" && !m.crashed)
    .map((m) => step.runnable.filter((l) => ownerOf(l) === m.workerId).length)
    .toSorted((a, b) => b - a)
    .join("/");

function nameOf({ workerId, state, leads, crashed }: Step["members"][number]): string {
  if (crashed && state !== "dead") return `${workerId} (crashed)`;
  return state === "active" ? `${workerId}${leads ? " (leads)" : ""}` : `${workerId} (${state})`;
}

const row = (name: string, leases: readonly Lease[]): string[] =>
  line(name, leases.length, "", numbers(leases.map((l) => l.leaseKey)));

function happenings({ moves, created, completed, removed, loud }: Step): string[] {
  const lines: string[] = [];
  if (created.length > 0) lines.push(...line("new leases", created.length, "", numbers(created)));
  if (completed.length > 0) lines.push(...line("ended", completed.length, "", numbers(completed)));
  if (removed.length > 0) lines.push(...line("cleaned up", removed.length, "", numbers(removed)));
  for (const group of grouped(moves)) {
    const { from, to, reason } = group[0]!;
    const name = from === undefined ? `to ${to}` : to === undefined ? `${from} lets go` : `${from} to ${to}`;
    lines.push(...line(name, group.length, `${reason}: `, numbers(group.map((m) => m.leaseKey))));
  }
  lines.push(...loud.toSorted().flatMap((message) => wrapped("loud: ", "      ", message.split(" "))));
  if (moves.length > 0) lines.push(`${moves.length} ${moves.length === 1 ? "move" : "moves"}`);
  return lines.length === 0 ? ["nothing happened"] : ["since then", ...lines.map((text) => `  ${text}`)];
}

function grouped(moves: readonly Move[]): Move[][] {
  const groups = new Map<string, Move[]>();
  for (const move of moves) {
    const key = `${move.reason}|${move.from ?? ""}|${move.to ?? ""}`;
    const group = groups.get(key);
    if (group) group.push(move);
    else groups.set(key, [move]);
  }
  return [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

function line(name: string, count: number, reason: string, words: readonly string[]): string[] {
  const start = `${name.padEnd(NAME_WIDTH)}${String(count).padStart(3)}  ${reason}`;
  return wrapped(start, " ".repeat(NAME_WIDTH + 5), words);
}

function wrapped(start: string, indent: string, words: readonly string[]): string[] {
  const lines: string[] = [];
  let text = start;
  for (const word of words) {
    if (text.length + word.length > LINE_WIDTH - 2) {
      lines.push(text.trimEnd());
      text = indent;
    }
    text += `${word} `;
  }
  return [...lines, text.trimEnd()];
}

/** `0 1 2 3 7` as `0–3 7`: three and more in a row become a range. */
function numbers(leaseKeys: readonly string[]): string[] {
  const sorted = leaseKeys.map(shortName).toSorted((a, b) => a - b);
  const words: string[] = [];
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    while (sorted[end + 1] === sorted[end]! + 1) end += 1;
    if (end - start >= 2) words.push(`${sorted[start]}–${sorted[end]}`);
    else for (let i = start; i <= end; i++) words.push(String(sorted[i]));
    start = end + 1;
  }
  return words;
}
