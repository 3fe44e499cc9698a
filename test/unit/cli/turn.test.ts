import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Interrupted } from "../../../lab/errors.ts";
import { type RunLockOptions, withRunLock } from "../../../lab/process/run-lock.ts";
import { systemClock } from "../../../src/platform.ts";
import type { Clock } from "../../../src/ports/clock.ts";

let folder: string;
let lock: string;
let notes: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-turn-"));
  lock = join(folder, "evenkeel");
  notes = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** `onLook`: runs while this run waits. */
function options(onLook: () => void = () => expect.fail("it waited")): RunLockOptions {
  const sleep: Clock["sleep"] = (millis, signal) => {
    // The longer sleep runs beside the work, until the work is done.
    if (millis > 1_000) return systemClock.sleep(millis, signal);
    onLook();
    return Promise.resolve();
  };
  const note = (line: string) => void notes.push(line);
  return { lock, clock: { ...systemClock, sleep }, signal: new AbortController().signal, note };
}

const living = String(process.pid);
const dead = () => String(spawnSync(process.execPath, ["-e", ""]).pid);
const lockHolder = async () => readFileSync(lock, "utf8");

it("a run alone has its turn at once, and leaves no lock", async () => {
  expect(await withRunLock(options(), lockHolder)).toBe(String(process.pid));
  expect(existsSync(lock)).toBe(false);
});

it("leaves no lock when it fails", async () => {
  const failing = withRunLock(options(), () => Promise.reject(new Error("no luck")));
  await expect(failing).rejects.toThrow("no luck");
  expect(existsSync(lock)).toBe(false);
});

it("waits for the run before it, and says so once", async () => {
  writeFileSync(lock, living);
  let looks = 0;
  const onLook = () => {
    if (++looks === 3) rmSync(lock);
  };
  expect(await withRunLock(options(onLook), lockHolder)).toBe(String(process.pid));
  expect(looks).toBe(3);
  expect(notes).toEqual([expect.stringContaining(`process ${living}`)]);
});

it("takes the turn of a process that is gone", async () => {
  writeFileSync(lock, dead());
  expect(await withRunLock(options(), lockHolder)).toBe(String(process.pid));
});

it("takes the turn of one that was gone long ago, and whose id another process has now", async () => {
  writeFileSync(lock, living);
  const longAgo = Date.now() / 1_000 - 3_600;
  utimesSync(lock, longAgo, longAgo);
  expect(await withRunLock(options(), lockHolder)).toBe(String(process.pid));
});

it("Ctrl-C ends the wait, and the lock stays with its holder", async () => {
  writeFileSync(lock, living);
  const stop = new AbortController();
  const waiting = withRunLock({ ...options(() => stop.abort()), signal: stop.signal }, lockHolder);
  await expect(waiting).rejects.toBeInstanceOf(Interrupted);
  expect(readFileSync(lock, "utf8")).toBe(living);
});
