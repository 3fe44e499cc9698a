/**
 * When something happened to the fleet that takes time to recover from. Invariants that limit a time count
 * from its end.
 */
import type { SimEvent } from "../world/history.ts";

export interface Disturbance {
  readonly from: number;
  readonly until: number;
}

/** Undefined: the event disturbs nothing. A crash for good disturbs only at its moment. */
export function disturbanceOf(event: SimEvent): Disturbance | undefined {
  switch (event.type) {
    case "outage":
      return { from: event.t, until: event.until };
    case "trouble":
      // A worker that cannot write loses its leases, or takes none: the others read its shards meanwhile.
      if (event.kind === "refused" && event.detail.startsWith("store"))
        return { from: event.t, until: event.t };
      return { from: event.t, until: event.until ?? event.t };
    case "tampered":
    case "phase":
      return { from: event.t, until: event.t };
    case "shard":
      return event.action === "opened" ? { from: event.t, until: event.t } : undefined;
    case "worker":
      return { from: event.t, until: event.t };
    default:
      return undefined;
  }
}

/** Faults that hit all workers alike: they excuse no worker. */
export class Outages {
  readonly #windows: Disturbance[] = [];

  constructor(events: readonly SimEvent[]) {
    for (const event of events) if (event.type === "outage") this.#windows.push(disturbanceOf(event)!);
  }

  /** When the outages that began before `to` are over; -Infinity: there was none. */
  lastEnd(to: number): number {
    return Math.max(...this.#windows.filter(({ from }) => from <= to).map(({ until }) => until));
  }

  between(from: number, to: number): boolean {
    return this.#windows.some((window) => window.from <= to && window.until >= from);
  }
}

/**
 * Rows that were edited by hand: from the edit to the next refused write of the row. By that write, the last
 * owner has noticed the edit.
 */
export class Tampered {
  readonly #byLease = new Map<string, { readonly from: number; until: number }[]>();

  constructor(events: readonly SimEvent[]) {
    for (const event of events) {
      if (event.type === "refused") this.#close(event.leaseKey, event.t);
      if (event.type !== "tampered" || event.leaseKey === undefined) continue;
      const known = this.#byLease.get(event.leaseKey) ?? [];
      this.#byLease.set(event.leaseKey, [...known, { from: event.t, until: Number.POSITIVE_INFINITY }]);
    }
  }

  between(leaseKey: string, from: number, to: number): boolean {
    return this.#byLease.get(leaseKey)?.some((edit) => edit.from <= to && edit.until >= from) ?? false;
  }

  #close(leaseKey: string, t: number): void {
    for (const edit of this.#byLease.get(leaseKey) ?? []) edit.until = Math.min(edit.until, t);
  }
}
