/** Memory and processor time of a process, from /proc (Linux). */
import { readFileSync } from "node:fs";
import { systemClock } from "../../src/platform.ts";

/** USER_HZ: 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;

export interface Usage {
  readonly residentMebibytes: number;
  readonly peakMebibytes: number;
  readonly cpuSecondsAMinute: number;
}

function cpuSeconds(pid: number): number {
  // The name in parentheses may contain spaces, so fields are counted after it.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

function mebibytes(pid: number, name: "VmRSS" | "VmHWM"): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Math.round(Number(found![1]) / 1_024);
}

/** Measures a process for a while. */
export async function usageOver(pid: number, millis: number): Promise<Usage> {
  const [before, start] = [cpuSeconds(pid), systemClock.monotonicMillis()];
  await systemClock.sleep(millis);
  const elapsed = systemClock.monotonicMillis() - start;
  return {
    residentMebibytes: mebibytes(pid, "VmRSS"),
    peakMebibytes: mebibytes(pid, "VmHWM"),
    cpuSecondsAMinute: Math.round(((cpuSeconds(pid) - before) * 60_000 * 100) / elapsed) / 100,
  };
}
