/**
 * One run of an application at a time in a clone: its history and its assembly are one folder each. The second waits
 * for the first, and mostly it is there already: a command that was ended by its terminal or by npm still takes down
 * what it made, while the user types the next one.
 */
import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import type { Clock } from "../../src/ports/clock.ts";
import { Interrupted } from "../problem.ts";

export interface RunLockOptions {
  /** The file that says whose turn it is. */
  readonly lock: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Tells the user why nothing happens yet. */
  readonly note: (line: string) => void;
}

const LOOK_MILLIS = 200;
const TOUCH_MILLIS = 5_000;
/** A lock that nobody touched for so long is of a process that is gone, whoever has its id now. */
const STALE_MILLIS = 60_000;

export async function withRunLock<T>(options: RunLockOptions, work: () => Promise<T>): Promise<T> {
  const { lock, clock, signal, note } = options;
  for (let looks = 0; !take(lock, clock); looks++) {
    if (looks === 0) note(`waiting for process ${holderOf(lock)}, a run that is at work or still stopping`);
    await clock.sleep(LOOK_MILLIS, signal);
    if (signal.aborted) throw new Interrupted("turn");
  }
  const outcome = new AbortController();
  void keepFresh(lock, clock, outcome.signal);
  try {
    return await work();
  } finally {
    outcome.abort();
    rmSync(lock, { force: true });
  }
}

function take(lock: string, clock: Clock): boolean {
  if (make(lock)) return true;
  if (isHeld(lock, clock)) return false;
  rmSync(lock, { force: true });
  return make(lock);
}

function make(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function isHeld(lock: string, clock: Clock): boolean {
  const touched = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
  if (touched === undefined || clock.wallMillis() - touched > STALE_MILLIS) return false;
  const holder = holderOf(lock);
  // Made this moment, and not written yet.
  if (holder === undefined) return true;
  try {
    process.kill(holder, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function holderOf(lock: string): number | undefined {
  try {
    return Number(readFileSync(lock, "utf8")) || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function keepFresh(lock: string, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(TOUCH_MILLIS, signal);
    if (signal.aborted) return;
    const now = clock.wallMillis() / 1_000;
    try {
      utimesSync(lock, now, now);
    } catch (error) {
      // Removed by hand: the turn is anybody's, and this run goes on.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
  }
}
