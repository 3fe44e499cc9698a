/** What an onlooker who sees everything at once makes of the lease table: who should hold how much. */
import { isEnded, type Lease } from "../../src/core/lease.ts";

/** Not ended, and no parent still being read. A parent without a row (cleaned up, trimmed) holds nobody up. */
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
  /** Workers that are up, each with the cap it should have (undefined: none). */
  readonly caps: ReadonlyMap<string, number | undefined>;
  readonly steals: boolean;
  /** How far the counts may be apart. Default: 1. */
  readonly apart?: number;
}

/**
 * What is wrong with the distribution, or undefined when it is as it must be: every runnable lease owned by a worker
 * that is up (as far as the caps allow), and the counts within one of each other (unless a cap
 * or switched-off stealing is in the way).
 */
export function unbalance(
  leases: readonly Lease[],
  { caps, steals, apart = 1 }: Expected,
): string | undefined {
  const runnable = runnableLeases(leases);
  const counts = new Map([...caps.keys()].map((worker) => [worker, 0]));
  const unowned: string[] = [];
  for (const lease of runnable) {
    // What is left in the name of a worker that is gone is nobody's.
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
  // A lease that is held is never taken away to lie unowned: above its cap is wrong only where another had room.
  if (!steals || withRoom.length === 0) return undefined;
  for (const worker of counts.keys()) {
    if (room(worker) < 0) return `${worker} holds more than its cap of ${caps.get(worker)} (${distribution})`;
  }
  const least = Math.min(...withRoom.map((worker) => counts.get(worker)!));
  const most = Math.max(...counts.values());
  return most - least > apart ? `counts differ by ${most - least} (${distribution})` : undefined;
}
