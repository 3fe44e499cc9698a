/**
 * How a worker leaves the fleet: it removes its entry once no row names it as the owner, and force-releases
 * what is left when the stop budget is spent.
 */
import { actualOwner, isEnded, type Lease } from "../core/lease.ts";
import { forEachBounded } from "./bounded.ts";
import type { Ports } from "./engine-context.ts";
import type { FleetPoller } from "./fleet-poller.ts";
import { settledWithin } from "./settled-within.ts";
import type { ShardTask } from "./shard-task.ts";
import type { ShardTasks } from "./shard-tasks.ts";

/** A start that cannot succeed rejects within half a minute, including this time. */
const LEAVING_MILLIS = 2_000;

export interface LeavingDeps {
  readonly ports: Pick<Ports, "store" | "clock">;
  readonly poller: FleetPoller;
  readonly workerId: string;
}

/** Leases whose rows name this worker as the owner, as of the newest scan. */
function rowsNaming({ poller, workerId }: LeavingDeps): readonly Lease[] {
  const ours = (lease: Lease) => actualOwner(lease) === workerId && !isEnded(lease);
  return [...poller.cache.table.values()].filter(ours);
}

/** Releases leases that a donor, not yet aware of the leaving, has handed over meanwhile. */
async function releaseLateComers(deps: LeavingDeps): Promise<void> {
  await deps.poller.scan();
  await forEachBounded(rowsNaming(deps), (row) => deps.ports.store.release(row, row.checkpoint));
}

/**
 * C2. A lease that was handed over to this worker just before is taken up and handed over again first. A
 * lease that arrives after the entry is removed is released.
 *
 * @returns "is named": this worker must stay, because rows name it or because it has claimed a lease
 *   meanwhile
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
  // If a lease is handed over to a follower that has left, the leader finds it in its next scan.
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
 * Aborts handlers and releases their leases at the last known progress, so that no other worker waits for
 * them to expire. A lease that cannot be released stays in its row and expires.
 */
export async function forceRelease(
  deps: LeavingDeps,
  tasks: readonly ShardTask[],
  why: string,
): Promise<void> {
  await Promise.allSettled(tasks.map((task) => task.forceRelease(why)));
  await Promise.allSettled([deps.poller.membership.leave()]);
}

/** A start that fails may already have an entry. If it cannot be removed, it expires. */
export async function leaveBriefly({ ports, poller }: LeavingDeps): Promise<void> {
  const left = poller.membership.leave().catch(() => undefined);
  await settledWithin(ports.clock, left, LEAVING_MILLIS);
}
