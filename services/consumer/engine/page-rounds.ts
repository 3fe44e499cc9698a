/**
 * Which fleet rows a look reads beside this worker's own heartbeat. Row 0 tells whether anything changed. With more rows,
 * each row and the next one with living members watch each other; the leader reads all of them in turn.
 */
import type { Role } from "../core/pace.ts";
import type { FleetView } from "./fleet-view.ts";

export interface Look {
  readonly ownPage: number;
  /** The look has begun with a heartbeat, whose answer was this worker's row. */
  readonly hasBeaten: boolean;
  readonly everyMillis: number;
  readonly leads: boolean;
  readonly role: Role;
}

/** Silence counts only where a row is seen at least twice in a failover time (W4). */
const ROUNDS_IN_A_FAILOVER = 2.5;

export class PageRounds {
  readonly #view: FleetView;
  readonly #failoverTimeMillis: number;
  /** When each row was last read by a look of its own. */
  readonly #readMillis = new Map<number, number>();
  #turn = 0;

  constructor(view: FleetView, failoverTimeMillis: number) {
    this.#view = view;
    this.#failoverTimeMillis = failoverTimeMillis;
  }

  reads(page: number, nowMillis: number): void {
    this.#readMillis.set(page, nowMillis);
  }

  due(look: Look, nowMillis: number): readonly number[] {
    return look.role === "reads"
      ? this.#whereAllRead(look, nowMillis)
      : this.#whereOneAssigns(look, nowMillis);
  }

  #whereAllRead({ ownPage, hasBeaten, everyMillis, leads }: Look, nowMillis: number): readonly number[] {
    if (ownPage === 0 && !hasBeaten) return [0];
    const pages = new Set<number>();
    if (this.#isDue(0, everyMillis, nowMillis)) pages.add(0);
    const living = this.#living();
    if (hasBeaten && living.length > 1) {
      const next = this.#next(living, ownPage);
      if (this.#isDue(next, everyMillis, nowMillis)) pages.add(next);
      if (leads) pages.add(living[this.#turn++ % living.length]!);
    }
    if (hasBeaten) pages.delete(ownPage);
    return [...pages];
  }

  /** The own row has this worker's assignments, and the row of the leaders says whether this worker is to lead. */
  #whereOneAssigns({ ownPage, hasBeaten, everyMillis, role }: Look, nowMillis: number): readonly number[] {
    const pages = new Set<number>();
    if (!hasBeaten) pages.add(ownPage);
    if (this.#isDue(0, everyMillis, nowMillis)) pages.add(0);
    const leading = this.#view.leadingPage(ownPage);
    if (leading !== undefined) {
      const page = "unread" in leading ? leading.unread : leading.page;
      if (this.#isDue(page, everyMillis, nowMillis)) pages.add(page);
    }
    const living = this.#living();
    const next = living.length > 1 ? this.#next(living, ownPage) : undefined;
    if (hasBeaten && next !== undefined && this.#isDue(next, everyMillis, nowMillis)) pages.add(next);
    if (role === "leads") {
      const roundMillis = this.#failoverTimeMillis / ROUNDS_IN_A_FAILOVER;
      const count = Math.min(living.length, Math.ceil((living.length * everyMillis) / roundMillis));
      for (let read = 0; read < count; read++) pages.add(living[this.#turn++ % living.length]!);
    }
    if (hasBeaten) pages.delete(ownPage);
    return [...pages];
  }

  /** Right before a heartbeat there may be a beat's time less than a whole interval: that is not worth another read. */
  #isDue(page: number, everyMillis: number, nowMillis: number): boolean {
    return nowMillis - (this.#readMillis.get(page) ?? 0) >= everyMillis * 0.85;
  }

  #living(): readonly number[] {
    const living = [...this.#view.pages.values()].filter((p) => p.members.some((m) => m.state !== "dead"));
    return living.map((p) => p.page).toSorted((a, b) => a - b);
  }

  #next(living: readonly number[], ownPage: number): number {
    return living.find((p) => p > ownPage) ?? living[0]!;
  }
}
