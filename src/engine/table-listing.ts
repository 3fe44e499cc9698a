/**
 * Reading the whole lease table. Owns: what the newest reading found of children without parents. Never does: believe a
 * reading that shows a child without its parent, or no row at all.
 */
import { orphans } from "../core/lineage.ts";
import { type LeaseListing, StoreUnavailable } from "../ports/lease-store.ts";
import type { Ports } from "./engine-context.ts";
import type { FleetCache } from "./fleet-cache.ts";

/** Of one reading of the table. */
const MAX_SCANS = 3;

export class TableListing {
  readonly #ports: Pick<Ports, "store" | "logger">;
  #orphans: ReadonlySet<string> = new Set();

  constructor(ports: Pick<Ports, "store" | "logger">) {
    this.#ports = ports;
  }

  /**
   * Every row; a parent that is missing is missing in two scans, the second begun after the first had ended (L3: see `orphans`).
   *
   * @param hasLeft this worker is no member any more: the table may be empty
   */
  async read(hasLeft: boolean): Promise<LeaseListing> {
    for (let round = 1; ; round++) {
      const listing = await this.#readOnce(hasLeft);
      const found = orphans(listing.leases);
      const fresh = new Set(found.filter((orphan) => !this.#orphans.has(orphan)));
      this.#orphans = new Set(found);
      if (fresh.size === 0) return listing;
      if (round < MAX_SCANS) continue;
      // Reshards faster than scans: the newest children are left for the next look.
      const children = new Set([...fresh].map((orphan) => orphan.split(" ")[0]));
      return { ...listing, leases: listing.leases.filter((lease) => !children.has(lease.leaseKey)) };
    }
  }

  /** A member's own fleet row is in the table, so an answer with no row at all is none: the leases are kept, and it is asked again. */
  async #readOnce(hasLeft: boolean): Promise<LeaseListing> {
    const listing = await this.#ports.store.list({ consistent: true });
    const { leases, corrupt, fleetRows } = listing;
    if (hasLeft || leases.length + corrupt.length + fleetRows.length > 0) return listing;
    const message = "the lease table is listed without a single row, and this worker's own must be there";
    throw new StoreUnavailable(message, { errorClass: "malformed-answer" });
  }

  /** Says which rows cannot be read any more, or again. @returns whether some can be read again */
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
