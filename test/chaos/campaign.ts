/**
 * Runs rows, a few at once. Each has its own stream, table and workers, and faults hit only its own callers.
 */
import { LiveRegion } from "../../lab/terminal/live-region.ts";
import { duration } from "../../lab/terminal/table.ts";
import { systemClock } from "../../src/platform.ts";
import type { Row, RowResult } from "./row.ts";
import { runRow } from "./run-row.ts";
import type { Site } from "./site.ts";

export interface CampaignRun {
  readonly rows: readonly Row[];
  readonly site: Site;
  readonly seed: number;
  readonly atOnce: number;
  /** Durations of faults are multiplied by it. */
  readonly scale: number;
  readonly signal: AbortSignal;
  readonly onRow: (result: RowResult) => void;
  /** Called with an operation that a worker called, `<Service>.<Operation>`; may repeat. */
  readonly onCalls: (operation: string) => void;
  /** What each running row does; called when that changes. */
  readonly onProgress: (doing: ReadonlyMap<string, string>, left: number) => void;
}

/**
 * @returns the results in the order of `rows`. Rejects when interrupted; all processes of the rows have ended
 * by then.
 */
export async function runCampaign(run: CampaignRun): Promise<RowResult[]> {
  const left = [...run.rows];
  const doing = new Map<string, string>();
  const results = new Map<string, RowResult>();
  const lane = async () => {
    for (let row = left.shift(); row !== undefined; row = left.shift()) {
      const { name } = row;
      const result = await runRow({
        ...{ row, site: run.site, seed: run.seed, scale: run.scale, signal: run.signal },
        onPhase: (phase) => {
          doing.set(name, phase);
          run.onProgress(doing, left.length);
        },
      });
      doing.delete(name);
      results.set(name, result);
      await noteCalls(run);
      run.onRow(result);
    }
  };
  const lanes = Array.from({ length: Math.min(run.atOnce, run.rows.length) }, lane);
  const failed = (await Promise.allSettled(lanes)).find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return run.rows.map(({ name }) => results.get(name)!);
}

/** The gateway keeps a limited number of counters: they are read and reset after each row. */
async function noteCalls({ site, rows, onCalls }: CampaignRun): Promise<void> {
  const calls = await site.admin.calls();
  await site.admin.resetCalls();
  for (const { caller, operation } of calls)
    if (rows.some(({ name }) => caller.startsWith(`${name}.`))) onCalls(operation);
}

/** Shows the running rows on a terminal, and nothing elsewhere. */
export class CampaignProgress {
  readonly #region = process.stderr.isTTY ? new LiveRegion(process.stderr) : undefined;
  readonly #startedAt = systemClock.monotonicMillis();

  draw(doing: ReadonlyMap<string, string>, left: number): void {
    const took = duration(systemClock.monotonicMillis() - this.#startedAt);
    const rows = [...doing].map(([name, phase]) => `  ${name}: ${phase}`);
    this.#region?.draw([`${took}, ${left} rows to come`, ...rows]);
  }

  print(line: string): void {
    if (this.#region) this.#region.print(line);
    else process.stdout.write(`${line}\n`);
  }

  close(): void {
    this.#region?.close({ erase: true });
  }
}
