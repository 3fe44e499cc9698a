/**
 * Whether a worker's use of resources stays the same over time. Pure: samples in, checks and a picture out.
 */
import type { Resources } from "./protocol.ts";
import type { RowCheck } from "./row.ts";

export interface ResourceSample extends Resources {
  readonly worker: string;
  readonly atMillis: number;
}

interface Measure {
  readonly name: string;
  readonly of: (sample: Resources) => number;
  readonly text: (value: number) => string;
  /** By how much the last third may exceed the first: by a share of it, and by a number. */
  readonly share: number;
  readonly plus: number;
}

const MIB = 1024 * 1024;
const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
const count = (value: number): string => String(Math.round(value));
const activeOf = (kind: RegExp) => (sample: Resources) =>
  Object.entries(sample.active).reduce((sum, [name, n]) => sum + (kind.test(name) ? n : 0), 0);

/** After a reshard a worker may hold a lease more or less: some reads, timers and sockets either way. */
const MEASURES: readonly Measure[] = [
  { name: "heap", of: (sample) => sample.heapBytes, text: mib, share: 0.15, plus: 2 * MIB },
  { name: "memory", of: (sample) => sample.rssBytes, text: mib, share: 0.2, plus: 8 * MIB },
  { name: "open files", of: (sample) => sample.openFiles, text: count, share: 0.2, plus: 6 },
  { name: "sockets", of: activeOf(/Socket|TCP/), text: count, share: 0.2, plus: 6 },
  { name: "timers", of: activeOf(/^Timeout$/), text: count, share: 0.2, plus: 6 },
];

const BLOCKS = "▁▂▃▄▅▆▇█";
const PICTURE_COLUMNS = 60;
/** A worker with fewer samples cannot be judged. */
const FEWEST_SAMPLES = 9;

/** One check for each measure of each worker. */
export function flatnessChecks(samples: readonly ResourceSample[]): RowCheck[] {
  return workersIn(samples).flatMap((worker): RowCheck[] => {
    const own = samples.filter((sample) => sample.worker === worker);
    if (own.length < FEWEST_SAMPLES)
      return [
        { name: `${worker} flat`, expected: `≥ ${FEWEST_SAMPLES} samples`, actual: own.length, ok: false },
      ];
    return MEASURES.map(({ name, of, text, share, plus }) => {
      const third = Math.floor(own.length / 3);
      const first = median(own.slice(0, third).map(of));
      const last = median(own.slice(-third).map(of));
      const most = first * (1 + share) + plus;
      return {
        name: `${worker}: ${name} flat`,
        expected: `≤ ${text(most)} in the last third`,
        actual: `${text(first)}, then ${text(last)}`,
        ok: last <= most,
      };
    });
  });
}

/** A line for each measure of each worker: its course, scaled from zero to its maximum. */
export function picture(samples: readonly ResourceSample[]): string[] {
  return workersIn(samples).flatMap((worker) => {
    const own = samples.filter((sample) => sample.worker === worker);
    return MEASURES.map(({ name, of, text }) => {
      const values = columns(own.map(of));
      const most = Math.max(...values, 1);
      const line = values.map((value) => BLOCKS[Math.round((value / most) * (BLOCKS.length - 1))]).join("");
      return `${worker.padEnd(4)} ${name.padEnd(10)} ${line} ${text(values.at(-1) ?? 0)}`;
    });
  });
}

const workersIn = (samples: readonly ResourceSample[]): string[] => [
  ...new Set(samples.map(({ worker }) => worker)),
];

/** At most PICTURE_COLUMNS values: the median of each stretch. */
function columns(values: readonly number[]): number[] {
  const width = Math.min(PICTURE_COLUMNS, values.length);
  return Array.from({ length: width }, (_, i) =>
    median(
      values.slice(Math.floor((i * values.length) / width), Math.floor(((i + 1) * values.length) / width)),
    ),
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
