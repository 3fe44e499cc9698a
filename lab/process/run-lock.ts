/**
 * Allows one run of an application at a time in a clone, because runs share one history folder and one
 * assembly folder. A second run waits for the first. That usually happens after a run was ended by its
 * terminal or by npm: it still removes what it created while the user types the next command.
 */
import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import type { Clock } from "../../src/ports/clock.ts";
import { Interrupted } from "../errors.ts";

export interface RunLockOptions {
  /** The lock file. It holds the process id of the current run. */
  readonly lock: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Reports to the user why the run has not started yet. */
  readonly note: (line: string) => void;
}

const LOOK_MILLIS = 200;
const TOUCH_MILLIS = 5_000;
/** A lock untouched for this long belongs to a process that is gone, even if its id is in use again. */
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
  // The file was just created, and its content is not written yet.
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
      // The lock was removed by hand: another run may start, and this run continues.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
  }
}
