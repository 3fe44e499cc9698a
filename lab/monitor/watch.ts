/**
 * Updates a monitor from a deployment at low cost. It polls the fleet row often (half a read unit) and scans
 * the table only when the fleet version changes. It also scans at long intervals, because checkpoints and
 * children's parents change without the version.
 */
import type { Clock } from "../../src/ports/clock.ts";
import { messageOf } from "../errors.ts";
import type { LeaseTable } from "../fleet/lease-table.ts";
import { type FlowCounts, type MonitorState, withFlow, withProblem, withSnapshot } from "./monitor.ts";

export interface WatchOptions {
  readonly table: LeaseTable;
  /** Undefined if records are not counted on this machine. */
  readonly flow: (() => Promise<FlowCounts>) | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly paused: () => boolean;
  readonly onState: (state: MonitorState) => void;
}

const LOOK_MILLIS = 300;
/** While leases move, rows change more often than the fleet version. */
const BUSY_SCAN_MILLIS = 600;
const QUIET_SCAN_MILLIS = 5_000;

/** Runs until the signal aborts. Errors are shown in the state, and the read is retried. */
export async function watchFleet(first: MonitorState, options: WatchOptions): Promise<void> {
  const { table, flow, clock, signal, paused, onState } = options;
  let state = first;
  let version: number | undefined;
  let scannedAt: number | undefined;
  while (!signal.aborted) {
    if (!paused()) {
      try {
        const newest = await table.fleetVersion();
        const age = scannedAt === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMillis() - scannedAt;
        if (newest !== version || age >= (isBusy(state) ? BUSY_SCAN_MILLIS : QUIET_SCAN_MILLIS)) {
          scannedAt = clock.monotonicMillis();
          state = withSnapshot(state, await table.snapshot());
          version = newest;
        }
        if (flow) state = withFlow(state, clock.wallMillis(), await flow());
      } catch (error) {
        state = withProblem(state, `cannot read it now, trying again: ${messageOf(error)}`);
      }
    }
    onState(state);
    await clock.sleep(LOOK_MILLIS, signal);
  }
}

const isBusy = ({ fleet }: MonitorState): boolean =>
  fleet !== undefined && fleet.plannedMoves + fleet.draining + fleet.blocked + fleet.unowned.length > 0;
