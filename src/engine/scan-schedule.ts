/**
 * When this worker scans the lease table. Owns: when it last did, and since when a scan is wanted. Never does: scan.
 *
 * W2 and W6 of `fleet-poller.ts` are kept here.
 */
import type { PollIntervals, Role } from "../core/poll-intervals.ts";
import type { Random } from "../ports/random.ts";
import type { FleetCache } from "./fleet-cache.ts";

/**
 * Part of the failover time between two scans for leases of non-member owners. Three scans, and a poll or
 * two, are enough to find an expired owner.
 */
const NON_MEMBER_SCAN_PART = 1 / 3;
/** Time between two scans while a row cannot be read: a repair by hand does not move the fleet version. */
const REPAIR_POLL_MILLIS = 3_000;

export interface ScanScheduleDeps {
  readonly cache: FleetCache;
  readonly random: Random;
  readonly failoverTimeMillis: number;
}

export class ScanSchedule {
  readonly #deps: ScanScheduleDeps;
  #scannedMillis = Number.NEGATIVE_INFINITY;
  /** W6. Since when a scan is wanted, and this worker's place in the spread, from 0 to 1. Undefined: none is wanted. */
  #wanted: { readonly sinceMillis: number; readonly place: number } | undefined;

  constructor(deps: ScanScheduleDeps) {
    this.#deps = deps;
  }

  /**
   * Whether the worker is to scan now. True counts as scanned.
   * @param isCurrent the table is as new as the newest fleet version read
   */
  takeDue({ scanSpreadMillis }: PollIntervals, role: Role, isCurrent: boolean, nowMillis: number): boolean {
    const { cache, failoverTimeMillis } = this.#deps;
    const sinceMillis = nowMillis - this.#scannedMillis;
    const nonMemberScanDue =
      cache.hasNonMemberLeases && sinceMillis > failoverTimeMillis * NON_MEMBER_SCAN_PART;
    const repairDue = cache.corrupt.length > 0 && sinceMillis > REPAIR_POLL_MILLIS;
    if (isCurrent && !nonMemberScanDue && !repairDue) {
      this.#wanted = undefined;
      return false;
    }
    if (nowMillis < this.#dueAtMillis(scanSpreadMillis, role, nowMillis)) return false;
    this.#scannedMillis = nowMillis;
    this.#wanted = undefined;
    return true;
  }

  /**
   * W6. In a large fleet each worker scans at its own moment, on average once in `scanSpreadMillis` while
   * changes continue. A worker whose cache is empty or distrusted does not wait.
   */
  #dueAtMillis(scanSpreadMillis: number, role: Role, nowMillis: number): number {
    const knowsNothing = this.#deps.cache.scannedFleetVersion < 0 && role !== "follows";
    if (scanSpreadMillis === 0 || knowsNothing) return nowMillis;
    // Computed from the current poll intervals: the fleet may have grown, or this worker may have become the
    // leader.
    this.#wanted ??= { sinceMillis: nowMillis, place: this.#deps.random.next() };
    const { sinceMillis, place } = this.#wanted;
    return Math.max(sinceMillis, this.#scannedMillis + scanSpreadMillis / 2) + place * scanSpreadMillis;
  }
}
