/**
 * What was put and what was processed, from the history files of the producer and of both kinds of workers.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Processed {
  readonly t: number;
  readonly worker: string;
  readonly shardId: string;
  readonly key: string;
  readonly n: number;
  readonly sequenceNumber: string;
}

interface Line extends Processed {
  readonly type: string;
}

/** The complete lines of the files in the folder: a last line may still be in flight. */
function linesIn(folder: string): Line[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) => {
      const text = readFileSync(join(folder, name), "utf8");
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      return whole
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Line);
    });
}

export interface Ledger {
  readonly puts: ReadonlySet<string>;
  /** In the order of the workers' wall clocks, which are this machine's clock. */
  readonly processed: readonly Processed[];
  readonly lost: readonly string[];
  /** Records processed more than once: the second time and every later one. */
  readonly repeated: readonly Processed[];
  /** Records whose key had a higher counter before, repeats left out. */
  readonly disordered: readonly Processed[];
}

const identity = (line: { readonly key: string; readonly n: number }) => `${line.key}#${line.n}`;

export function readLedger(folder: string): Ledger {
  const lines = linesIn(folder);
  const puts = new Set(lines.filter((line) => line.type === "put").map(identity));
  const processed = lines.filter((line) => line.type === "record").toSorted((a, b) => a.t - b.t);
  const seen = new Set<string>();
  const highest = new Map<string, number>();
  const repeated: Processed[] = [];
  const disordered: Processed[] = [];
  for (const record of processed) {
    if (seen.has(identity(record))) repeated.push(record);
    else if (record.n < (highest.get(record.key) ?? 0)) disordered.push(record);
    seen.add(identity(record));
    highest.set(record.key, Math.max(record.n, highest.get(record.key) ?? 0));
  }
  return { puts, processed, lost: [...puts].filter((one) => !seen.has(one)), repeated, disordered };
}

/** The first record of each shard that `worker` processed. */
export function firstPerShard(ledger: Ledger, worker: string): Map<string, Processed> {
  const first = new Map<string, Processed>();
  for (const record of ledger.processed)
    if (record.worker === worker && !first.has(record.shardId)) first.set(record.shardId, record);
  return first;
}
