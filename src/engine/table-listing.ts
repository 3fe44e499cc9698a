/**
 * Reads the whole lease table.
 *
 * Owns: which children without parents the newest scan found. Never does: accept a first scan that shows a
 * child without its parent, or one without any row.
 */
import { orphans } from "../core/lineage.ts";
import { type LeaseListing, StoreUnavailableError } from "../ports/lease-store.ts";
import type { Ports } from "./engine-context.ts";
import type { FleetCache } from "./fleet-cache.ts";

/** Scans per reading of the table. */
const MAX_SCANS = 3;

export class TableListing {
  readonly #ports: Pick<Ports, "store" | "logger">;
  #orphans: ReadonlySet<string> = new Set();

  constructor(ports: Pick<Ports, "store" | "logger">) {
    this.#ports = ports;
  }

  /**
   * Reads every row. A parent counts as missing only if two scans miss it, the second begun after the first
   * had ended (L3: see `orphans`).
   *
   * @param hasLeft this worker is no longer a member: the table may be empty
   */
  async read(hasLeft: boolean): Promise<LeaseListing> {
    for (let round = 1; ; round++) {
      const listing = await this.#readOnce(hasLeft);
      const found = orphans(listing.leases);
      const fresh = new Set(found.filter((orphan) => !this.#orphans.has(orphan)));
      this.#orphans = new Set(found);
      if (fresh.size === 0) return listing;
      if (round < MAX_SCANS) continue;
      // Reshards are faster than scans: the newest children are left for the next poll.
      const children = new Set([...fresh].map((orphan) => orphan.split(" ")[0]));
      return { ...listing, leases: listing.leases.filter((lease) => !children.has(lease.leaseKey)) };
    }
  }

  /**
   * A member's own fleet row is in the table, so a listing without any row is invalid: the leases are kept,
   * and the scan is retried.
   */
  async #readOnce(hasLeft: boolean): Promise<LeaseListing> {
    const listing = await this.#ports.store.list({ consistent: true });
    const { leases, corrupt, fleetRows } = listing;
    if (hasLeft || leases.length + corrupt.length + fleetRows.length > 0) return listing;
    const message = "the lease table is listed without a single row, and this worker's own must be there";
    throw new StoreUnavailableError(message, { errorClass: "malformed-answer" });
  }

  /**
   * Logs which rows have become unreadable, and which are readable again.
   * @returns whether some are readable again
   */
  report(before: ReadonlySet<string>, { unreadable, corrupt }: FleetCache): boolean {
    const { logger } = this.#ports;
    const fresh = corrupt.filter(({ leaseKey }) => !before.has(leaseKey));
    if (fresh.length > 0)
      logger.error(
        { rows: fresh.slice(0, 5), of: corrupt.length },
        "lease rows cannot be read: their shards and the children of these wait until they are repaired or deleted",
      );
    const readable = [...before].filter((leaseKey) => !unreadable.has(leaseKey));
    if (readable.length > 0) logger.warn({ rows: readable }, "lease rows can be read again, or are gone");
    return readable.length > 0;
  }
}
