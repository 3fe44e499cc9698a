/** Active outages: which call of which worker they hit, and how. */
import type { Prng } from "./prng.ts";
import type { Scheduler } from "./scheduler.ts";

export type CallService = "store" | "stream";

/**
 * - unavailable, throttled, denied, unauthenticated, expired-credentials, malformed-answer: the call has no
 *   effect, and the caller gets an error (unavailable: after its own timeout);
 * - black-hole: the call has no effect, and no answer comes until the outage is over;
 * - mute: the call has its effect, and no answer comes until the outage is over;
 * - lost-answer: the call has its effect, and the caller's timeout ends it;
 * - empty: a read returns an empty answer; a write has no effect, and its answer is malformed.
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

  /** The outage that hits a call that arrives now. */
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

  /** Ends all outages. */
  clear(): void {
    this.#active.clear();
  }
}
