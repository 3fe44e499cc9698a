/** What the machine and its processes used. From /proc, so Linux only. */
import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";

export interface ProcessUse {
  readonly residentMebibytes: number;
  /** The maximum since the process started. */
  readonly peakMebibytes: number;
  readonly cpuSeconds: number;
}

/** Clock ticks a second of /proc/<pid>/stat: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export function processUse(pid: number): ProcessUse {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mebibytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) / 1024;
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name (in brackets) may contain spaces, so fields are counted after it: utime and stime are the 14th
  // and 15th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    residentMebibytes: mebibytes("VmRSS"),
    peakMebibytes: mebibytes("VmHWM"),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  };
}

/** `load 1.2 0.9 0.8 on 2 cores`: shows when figures are inflated by a busy machine. */
export const loadText = (): string =>
  `load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(" ")} on ${cpus().length} cores`;
