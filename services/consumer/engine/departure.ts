/**
 * The way out of the fleet: the entry is removed when no row names this worker any more, and what is left when the time
 * of a stop is up is released.
 */
import { actualOwner, isEnded, type Lease } from "../core/lease.ts";
import { forEachBounded } from "./bounded.ts";
import type { Ports } from "./engine-context.ts";
import type { FleetWatch } from "./fleet-watch.ts";
import type { ShardTask } from "./shard-task.ts";

export interface DepartureDeps {
  readonly ports: Pick<Ports, "store">;
  readonly watch: FleetWatch;
  readonly workerId: string;
}

/** Leases that the rows give to this worker, as the newest scan found them. */
export function rowsNaming({ watch, workerId }: DepartureDeps): readonly Lease[] {
  const ours = (lease: Lease) => actualOwner(lease) === workerId && !isEnded(lease);
  return [...watch.view.table.values()].filter(ours);
}

/** What a donor that had not heard of the leaving has handed over meanwhile is set free. */
export async function releaseLateComers(deps: DepartureDeps): Promise<void> {
  await deps.watch.scan();
  await forEachBounded(rowsNaming(deps), (row) => deps.ports.store.release(row, row.checkpoint));
}

/**
 * Ends handlers and releases leases as far as they are known to be processed, so that no other worker waits for an
 * expiry. What cannot be written stays in the rows, and expires.
 */
export async function forceRelease(
  deps: DepartureDeps,
  tasks: readonly ShardTask[],
  why: string,
): Promise<void> {
  await Promise.allSettled(tasks.map((task) => task.giveUp(why)));
  await Promise.allSettled([deps.watch.membership.leave()]);
}
