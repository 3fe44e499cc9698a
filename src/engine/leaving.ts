/**
 * The way out of the fleet: the entry is removed when no row names this worker any more, and what is left when the time
 * of a stop is up is released.
 */
import { actualOwner, isEnded, type Lease } from "../core/lease.ts";
import { forEachBounded } from "./bounded.ts";
import type { Ports } from "./engine-context.ts";
import type { FleetPoller } from "./fleet-poller.ts";
import { settledWithin } from "./settled-within.ts";
import type { ShardTask } from "./shard-task.ts";
import type { ShardTasks } from "./shard-tasks.ts";

/** A start that cannot work rejects within half a minute, this included. */
const LEAVING_MILLIS = 2_000;

export interface LeavingDeps {
  readonly ports: Pick<Ports, "store" | "clock">;
  readonly poller: FleetPoller;
  readonly workerId: string;
}

/** Leases that the rows give to this worker, as the newest scan found them. */
function rowsNaming({ poller, workerId }: LeavingDeps): readonly Lease[] {
  const ours = (lease: Lease) => actualOwner(lease) === workerId && !isEnded(lease);
  return [...poller.cache.table.values()].filter(ours);
}

/** What a donor that had not heard of the leaving has handed over meanwhile is set free. */
async function releaseLateComers(deps: LeavingDeps): Promise<void> {
  await deps.poller.scan();
  await forEachBounded(rowsNaming(deps), (row) => deps.ports.store.release(row, row.checkpoint));
}

/**
 * C2. What was handed to this worker a moment ago is taken up and given on first; what comes later than that is set free.
 *
 * @returns "is named": the rows, or what has been claimed meanwhile, keep it here
 */
export async function leaveWhenFree(
  deps: LeavingDeps,
  {
    tasks,
    stopped,
    ended,
  }: { readonly tasks: ShardTasks; readonly stopped: AbortSignal; readonly ended: () => void },
): Promise<"has left" | "is named"> {
  const { poller } = deps;
  // What is handed to a worker that follows and has left, the leader finds with its next reading.
  const follows = poller.role === "follows";
  if (!follows) await poller.scan();
  if (stopped.aborted) return "has left"; // the stop budget was spent meanwhile
  const isNamed = !follows && rowsNaming(deps).length > 0;
  // An assigned lease may have been claimed meanwhile.
  if (isNamed || !tasks.areNone) return "is named";
  await poller.membership.leave();
  ended();
  await tasks.close();
  if (!follows) await releaseLateComers(deps);
  return "has left";
}

/**
 * Ends handlers and releases leases as far as they are known to be processed, so that no other worker waits for an
 * expiry. What cannot be written stays in the rows, and expires.
 */
export async function forceRelease(
  deps: LeavingDeps,
  tasks: readonly ShardTask[],
  why: string,
): Promise<void> {
  await Promise.allSettled(tasks.map((task) => task.forceRelease(why)));
  await Promise.allSettled([deps.poller.membership.leave()]);
}

/** A start that fails has told others of itself. Without an answer they find out by its silence. */
export async function leaveBriefly({ ports, poller }: LeavingDeps): Promise<void> {
  const left = poller.membership.leave().catch(() => undefined);
  await settledWithin(ports.clock, left, LEAVING_MILLIS);
}
