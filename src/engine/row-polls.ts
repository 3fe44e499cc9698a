/**
 * Which fleet rows a poll reads beside this worker's own heartbeat. Row 0 shows whether anything changed. If
 * there are more rows, the members of each row also poll the next row with living members, and the leader
 * reads all rows in turn.
 */
import type { Role } from "../core/poll-intervals.ts";
import type { FleetCache } from "./fleet-cache.ts";

export interface DuePolls {
  readonly ownRow: number;
  /** The poll began with a heartbeat, whose response was this worker's row. */
  readonly hasSentHeartbeat: boolean;
  readonly everyMillis: number;
  readonly leads: boolean;
  readonly role: Role;
}

/** A member can expire only if its row is read at least twice per failover time (W4). */
const ROUNDS_IN_A_FAILOVER = 2.5;

export class RowPolls {
  readonly #cache: FleetCache;
  readonly #failoverTimeMillis: number;
  /** When a poll last read each row. */
  readonly #readMillis = new Map<number, number>();
  #nextRow = 0;

  constructor(cache: FleetCache, failoverTimeMillis: number) {
    this.#cache = cache;
    this.#failoverTimeMillis = failoverTimeMillis;
  }

  reads(fleetRow: number, nowMillis: number): void {
    this.#readMillis.set(fleetRow, nowMillis);
  }

  due(poll: DuePolls, nowMillis: number): readonly number[] {
    return poll.role === "reads"
      ? this.#whereAllRead(poll, nowMillis)
      : this.#whereOneAssigns(poll, nowMillis);
  }

  #whereAllRead(
    { ownRow, hasSentHeartbeat, everyMillis, leads }: DuePolls,
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

  /** The worker's own row contains its assignments. The leading row shows whether this worker should lead. */
  #whereOneAssigns(
    { ownRow, hasSentHeartbeat, everyMillis, role }: DuePolls,
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

  /** Just before a heartbeat the interval may be slightly short. That is not worth another read. */
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
