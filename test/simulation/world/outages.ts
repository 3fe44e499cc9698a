/** Outages under way: which call of which worker they hit, and how. */
import type { Prng } from "./prng.ts";
import type { Scheduler } from "./scheduler.ts";

export type CallService = "store" | "stream";

/**
 * - unavailable, throttled, denied, unauthenticated, expired-credentials, malformed-answer: nothing happens, and the
 *   caller hears of it (unavailable: after its own time-out);
 * - black-hole: nothing happens, and no answer comes until the outage is over;
 * - mute: the call happens, and no answer comes until the outage is over;
 * - lost-answer: the call happens, and the caller's time-out ends it;
 * - empty: a read answers with nothing in it; a write is not done, and its answer is malformed.
 */
export type OutageHow =
  | "unavailable"
  | "throttled"
  | "denied"
  | "unauthenticated"
  | "expired-credentials"
  | "malformed-answer"
  | "black-hole"
  | "mute"
  | "lost-answer"
  | "empty";

export interface ActiveOutage {
  readonly service: CallService;
  readonly how: OutageHow;
  readonly what: "all" | "writes";
  readonly share: number;
  /** Undefined: every worker. */
  readonly worker: string | undefined;
  readonly operation: string | undefined;
  readonly until: number;
}

const READS: ReadonlySet<string> = new Set(["list", "readFleet", "readApplication", "ensureTable"]);

export class Outages {
  readonly #scheduler: Scheduler;
  readonly #prng: Prng;
  readonly #active = new Set<ActiveOutage>();

  constructor(scheduler: Scheduler, prng: Prng) {
    this.#scheduler = scheduler;
    this.#prng = prng;
  }

  begin(outage: ActiveOutage): void {
    this.#active.add(outage);
    this.#scheduler.at(outage.until, `end of outage ${outage.service}`, () => this.#active.delete(outage));
  }

  /** What a call meets that arrives now. */
  of(worker: string, service: CallService, operation: string): ActiveOutage | undefined {
    for (const outage of this.#active) {
      if (outage.service !== service) continue;
      if (outage.worker !== undefined && outage.worker !== worker) continue;
      if (outage.operation !== undefined && outage.operation !== operation) continue;
      if (outage.what === "writes" && READS.has(operation)) continue;
      if (outage.share < 1 && !this.#prng.chance(outage.share)) continue;
      return outage;
    }
    return undefined;
  }

  /** Everything is well again. */
  clear(): void {
    this.#active.clear();
  }
}
