/** How many leases each worker should hold, computed from the whole lease table. */
import { isEnded, type Lease } from "../../src/core/lease.ts";

/**
 * Leases that are not ended and whose parents are read to the end. A parent without a row (cleaned up,
 * trimmed) blocks no child.
 */
export function runnableLeases(leases: readonly Lease[]): Lease[] {
  const byKey = new Map(leases.map((lease) => [lease.leaseKey, lease]));
  return leases.filter(
    (lease) =>
      !isEnded(lease) &&
      lease.parentShardIds.every((parent) => {
        const row = byKey.get(parent);
        return row === undefined || isEnded(row);
      }),
  );
}

export interface Expected {
  /** The workers that are up, each with the cap it should have (undefined: none). */
  readonly caps: ReadonlyMap<string, number | undefined>;
  readonly steals: boolean;
  /** The largest allowed difference of the counts. Default: 1. */
  readonly apart?: number;
}

/**
 * Says what is wrong with the distribution, or returns undefined. Every runnable lease must be owned by a
 * worker that is up, as far as the caps allow. The counts must be within `apart` of each other, unless a cap
 * or disabled stealing prevents that.
 */
export function unbalance(
  leases: readonly Lease[],
  { caps, steals, apart = 1 }: Expected,
): string | undefined {
  const runnable = runnableLeases(leases);
  const counts = new Map([...caps.keys()].map((worker) => [worker, 0]));
  const unowned: string[] = [];
  for (const lease of runnable) {
    // A lease in the name of a worker that is gone is unowned.
    if (lease.owner === undefined || !counts.has(lease.owner))
      unowned.push(`${lease.leaseKey} (${lease.owner ?? "-"})`);
    else counts.set(lease.owner, counts.get(lease.owner)! + 1);
  }
  const room = (worker: string) => (caps.get(worker) ?? Number.POSITIVE_INFINITY) - counts.get(worker)!;
  const distribution = [...counts].map(([worker, count]) => `${worker}:${count}`).join(" ");
  const withRoom = [...counts.keys()].filter((worker) => room(worker) > 0);
  if (unowned.length > 0 && withRoom.length > 0) {
    return `${unowned.join(", ")} unowned although ${withRoom.join(", ")} had room (${distribution})`;
  }
  // A held lease is never released only to be unowned: more than the cap is wrong only where another worker
  // had room.
  if (!steals || withRoom.length === 0) return undefined;
  for (const worker of counts.keys()) {
    if (room(worker) < 0) return `${worker} holds more than its cap of ${caps.get(worker)} (${distribution})`;
  }
  const least = Math.min(...withRoom.map((worker) => counts.get(worker)!));
  const most = Math.max(...counts.values());
  return most - least > apart ? `counts differ by ${most - least} (${distribution})` : undefined;
}
