/**
 * Which fleet rows a look reads beside this worker's own heartbeat. Row 0 tells whether anything changed. With more rows,
 * each row and the next one with living members watch each other; the leader reads all of them in turn.
 */
import type { Role } from "../core/poll-intervals.ts";
import type { FleetCache } from "./fleet-cache.ts";

export interface Listing {
  readonly ownRow: number;
  /** The look has begun with a heartbeat, whose answer was this worker's row. */
  readonly hasSentHeartbeat: boolean;
  readonly everyMillis: number;
  readonly leads: boolean;
  readonly role: Role;
}

/** Silence counts only where a row is seen at least twice in a failover time (W4). */
const ROUNDS_IN_A_FAILOVER = 2.5;

export class RowPolls {
  readonly #cache: FleetCache;
  readonly #failoverTimeMillis: number;
  /** When each row was last read by a look of its own. */
  readonly #readMillis = new Map<number, number>();
  #nextRow = 0;

  constructor(cache: FleetCache, failoverTimeMillis: number) {
    this.#cache = cache;
    this.#failoverTimeMillis = failoverTimeMillis;
  }

  reads(fleetRow: number, nowMillis: number): void {
    this.#readMillis.set(fleetRow, nowMillis);
  }

  due(poll: Listing, nowMillis: number): readonly number[] {
    return poll.role === "reads"
      ? this.#whereAllRead(poll, nowMillis)
      : this.#whereOneAssigns(poll, nowMillis);
  }

  #whereAllRead(
    { ownRow, hasSentHeartbeat, everyMillis, leads }: Listing,
    nowMillis: number,
  ): readonly number[] {
    if (ownRow === 0 && !hasSentHeartbeat) return [0];
    const fleetRows = new Set<number>();
    if (this.#isDue(0, everyMillis, nowMillis)) fleetRows.add(0);
    const living = this.#living();
    if (hasSentHeartbeat && living.length > 1) {
      const next = this.#next(living, ownRow);
      if (this.#isDue(next, everyMillis, nowMillis)) fleetRows.add(next);
      if (leads) fleetRows.add(living[this.#nextRow++ % living.length]!);
    }
    if (hasSentHeartbeat) fleetRows.delete(ownRow);
    return [...fleetRows];
  }

  /** The own row has this worker's assignments, and the row of the leaders says whether this worker is to lead. */
  #whereOneAssigns(
    { ownRow, hasSentHeartbeat, everyMillis, role }: Listing,
    nowMillis: number,
  ): readonly number[] {
    const fleetRows = new Set<number>();
    if (!hasSentHeartbeat) fleetRows.add(ownRow);
    if (this.#isDue(0, everyMillis, nowMillis)) fleetRows.add(0);
    const leading = this.#cache.leadingRow(ownRow);
    if (leading !== undefined) {
      const fleetRow = "unread" in leading ? leading.unread : leading.number;
      if (this.#isDue(fleetRow, everyMillis, nowMillis)) fleetRows.add(fleetRow);
    }
    const living = this.#living();
    const next = living.length > 1 ? this.#next(living, ownRow) : undefined;
    if (hasSentHeartbeat && next !== undefined && this.#isDue(next, everyMillis, nowMillis))
      fleetRows.add(next);
    if (role === "leads") {
      const roundMillis = this.#failoverTimeMillis / ROUNDS_IN_A_FAILOVER;
      const count = Math.min(living.length, Math.ceil((living.length * everyMillis) / roundMillis));
      for (let read = 0; read < count; read++) fleetRows.add(living[this.#nextRow++ % living.length]!);
    }
    if (hasSentHeartbeat) fleetRows.delete(ownRow);
    return [...fleetRows];
  }

  /** Right before a heartbeat there may be a beat's time less than a whole interval: that is not worth another read. */
  #isDue(fleetRow: number, everyMillis: number, nowMillis: number): boolean {
    return nowMillis - (this.#readMillis.get(fleetRow) ?? 0) >= everyMillis * 0.85;
  }

  #living(): readonly number[] {
    const living = [...this.#cache.fleetRows.values()].filter((p) =>
      p.members.some((m) => m.state !== "dead"),
    );
    return living.map((p) => p.number).toSorted((a, b) => a - b);
  }

  #next(living: readonly number[], ownRow: number): number {
    return living.find((p) => p > ownRow) ?? living[0]!;
  }
}
