/**
 * What is done of plans from a table that was changing while it was read. Each waits for a newer table (C1), but not for
 * ever: where changes outrun the scans, one lease could wait as long as others move. A free lease that plans of two scans
 * give to this worker, its row unmoved, is claimed: the claim is conditional on the row, so at worst the lease moves once
 * more. A cap that two scans in a row lead to is published: until then the others plan with the old one.
 */
import type { Decisions } from "../core/decide.ts";
import { untakenKey } from "../core/untaken.ts";

export class OutrunPlans {
  #scannedFleetVersion = Number.NaN;
  /** Free leases (`untakenKey`) that the newest scan gave to this worker, and that earlier ones did. */
  #newest: ReadonlySet<string> = new Set();
  #earlier: ReadonlySet<string> = new Set();
  #cap: number | undefined;
  #capBefore: number | undefined;

  /** @returns the claims that do not wait, with what the rows already call this worker's own; and whether the cap does not */
  add(
    { claim, untaken, cap }: Decisions,
    scannedFleetVersion: number,
  ): { readonly claims: Decisions["claim"]; readonly isCapKnown: boolean } {
    if (scannedFleetVersion !== this.#scannedFleetVersion) {
      const free = new Set([...claim, ...untaken].map(({ lease }) => untakenKey(lease)));
      this.#earlier = new Set([...this.#earlier, ...this.#newest].filter((key) => free.has(key)));
      this.#capBefore = this.#cap;
      this.#scannedFleetVersion = scannedFleetVersion;
    }
    this.#newest = new Set(claim.map(({ lease }) => untakenKey(lease)));
    this.#cap = cap;
    const isDue = ({ lease, reason }: Decisions["claim"][number]) =>
      reason === "received" || this.#earlier.has(untakenKey(lease));
    return { claims: claim.filter(isDue), isCapKnown: cap === this.#capBefore };
  }
}
