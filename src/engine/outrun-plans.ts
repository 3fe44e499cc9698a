/**
 * Acts on plans from a table that changed while it was scanned. Such a plan waits for a newer table (C1), but
 * not for ever: where the table changes faster than it is scanned, one lease could wait as long as others
 * move.
 *
 * - A free lease that the plans of two scans give to this worker, with its row unchanged, is claimed. The
 *   claim is conditional on the row, so at worst the lease moves once more.
 * - A cap that two scans in a row compute is published. Until then the other workers plan with the old one.
 */
import type { Decisions } from "../core/decide.ts";
import { untakenKey } from "../core/untaken.ts";

export class OutrunPlans {
  #scannedFleetVersion = Number.NaN;
  /**
   * Free leases (`untakenKey`) that the newest scan gave to this worker, and that earlier scans gave to it.
   */
  #newest: ReadonlySet<string> = new Set();
  #earlier: ReadonlySet<string> = new Set();
  #cap: number | undefined;
  #capBefore: number | undefined;

  /**
   * @returns the claims that do not wait, including leases whose rows already name this worker; and whether
   *   two scans agree on the cap
   */
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
