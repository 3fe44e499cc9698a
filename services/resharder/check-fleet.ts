/**
 * Checks that every open shard is owned and that the fleet is even. Pure: from the listing and the lease rows
 * to a verdict.
 */
import type { LeaseOwner } from "./ports.ts";

export interface FleetVerdict {
  readonly done: boolean;
  /** The missing condition, in one line. */
  readonly problem: string | undefined;
  readonly openShards: number;
  readonly unowned: number;
  /** Open shards per worker. */
  readonly owners: Readonly<Record<string, number>>;
}

const NAMED = 5;

export function checkOwned(openShardIds: readonly string[], leases: readonly LeaseOwner[]): FleetVerdict {
  const ownerOf = new Map(leases.map(({ leaseKey, owner }) => [leaseKey, owner]));
  const unowned = openShardIds.filter((shardId) => ownerOf.get(shardId) === undefined);
  const owners: Record<string, number> = {};
  for (const shardId of openShardIds) {
    const owner = ownerOf.get(shardId);
    if (owner !== undefined) owners[owner] = (owners[owner] ?? 0) + 1;
  }
  const named = unowned.slice(0, NAMED).join(", ") + (unowned.length > NAMED ? ", …" : "");
  return {
    done: unowned.length === 0,
    problem:
      unowned.length === 0
        ? undefined
        : `${unowned.length} of ${openShardIds.length} open shards have no owner (${named}); is the consumer service running, and is workers × lease cap at least the number of shards?`,
    openShards: openShardIds.length,
    unowned: unowned.length,
    owners,
  };
}

/**
 * Even: every open shard is owned, counts differ by at most one, and there are as many owners as tasks (if
 * the task count is known and there are enough shards).
 */
export function checkConverged(
  openShardIds: readonly string[],
  leases: readonly LeaseOwner[],
  targetTasks: number | undefined,
): FleetVerdict {
  const owned = checkOwned(openShardIds, leases);
  const counts = Object.values(owned.owners);
  if (targetTasks === 0) {
    const problem =
      counts.length === 0 ? undefined : `${counts.length} workers still own shards; none should`;
    return { ...owned, done: problem === undefined, problem };
  }
  if (!owned.done) return owned;
  const expected = targetTasks === undefined ? counts.length : Math.min(targetTasks, openShardIds.length);
  const uneven = Math.max(...counts) - Math.min(...counts) > 1;
  const problem =
    counts.length !== expected
      ? `${counts.length} workers own shards; expected ${expected}`
      : uneven
        ? `shards per worker are uneven: ${counts.toSorted((a, b) => b - a).join("/")}`
        : undefined;
  return { ...owned, done: problem === undefined, problem };
}
