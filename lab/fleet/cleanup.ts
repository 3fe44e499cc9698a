/**
 * Removes the fleet rows that a crashed fleet left in its lease table. An older Java KCL, which takes every
 * row for a lease, can then use the table. Leases and checkpoints are not changed. A fleet that stops cleanly
 * leaves no such rows.
 */
import type { Clock } from "../../src/ports/clock.ts";
import { CommandError, Interrupted } from "../errors.ts";
import { type FleetRow, type FleetRows, movedWorkers, workersOf } from "./fleet-rows.ts";

export interface CleanupOptions {
  readonly rows: FleetRows;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The fleet's own value: a living worker changes its heartbeat at least twice in this time. */
  readonly failoverTimeMillis: number;
}

export interface RemovedRow {
  readonly leaseKey: string;
  /** The workers that the row still listed. */
  readonly workers: readonly string[];
}

const LOOK_MILLIS = 500;

/**
 * Throws a CommandError, with nothing removed, if a worker is alive. A worker is alive if its entry changes;
 * clocks are not compared.
 */
export async function cleanUpFleet(
  options: CleanupOptions,
  seen: readonly FleetRow[],
): Promise<RemovedRow[]> {
  const { rows, clock, signal, failoverTimeMillis } = options;
  const until = clock.monotonicMillis() + failoverTimeMillis;
  while (clock.monotonicMillis() < until) {
    await clock.sleep(Math.min(LOOK_MILLIS, until - clock.monotonicMillis()), signal);
    if (signal.aborted) throw new Interrupted("cleanup");
    for (const row of seen) requireStill(row, await rows.read(row.leaseKey));
  }
  // A worker that started meanwhile may have created its own row.
  for (const row of await rows.list())
    requireStill(
      seen.find(({ leaseKey }) => leaseKey === row.leaseKey),
      row,
    );
  const removed: RemovedRow[] = [];
  for (const row of seen) {
    if ((await rows.remove(row)) === "changed") {
      requireStill(row, await rows.read(row.leaseKey));
      throw new CommandError(`${row.leaseKey} changed just now; run cleanup again`);
    }
    removed.push({ leaseKey: row.leaseKey, workers: workersOf(row) });
  }
  return removed;
}

function requireStill(before: FleetRow | undefined, now: FleetRow | undefined): void {
  const [worker] = movedWorkers(before, now);
  if (worker !== undefined)
    throw new CommandError(
      `worker ${worker} is alive (its entry in the fleet's row moved); stop the fleet first, then clean up`,
    );
}
