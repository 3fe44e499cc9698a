import type { Logger } from "../ports/logger.ts";
import type { EngineOptions } from "./engine-context.ts";

interface Fleet {
  readonly shards: number;
  readonly workers: number;
}

/**
 * The user's formula, asked once for each state of the fleet: one that gives another answer each time (by the clock, by
 * chance) would have every worker publish and scan without end. Without shards there is nothing to ask it, and where it
 * fails the last answer stands.
 */
export class Cap {
  readonly #formula: EngineOptions["maxLeasesForWorker"];
  readonly #logger: Logger;
  #asked: Fleet | undefined;
  #answer: number | undefined;

  constructor(formula: EngineOptions["maxLeasesForWorker"], logger: Logger) {
    this.#formula = formula;
    this.#logger = logger;
  }

  of(fleet: Fleet): number | undefined {
    const isNew = fleet.shards !== this.#asked?.shards || fleet.workers !== this.#asked.workers;
    if (fleet.shards === 0 || !isNew) return this.#answer;
    this.#asked = fleet;
    try {
      this.#answer = this.#formula(fleet);
    } catch (error) {
      const message = "maxLeasesForWorker failed; its last answer stands";
      this.#logger.error({ err: error, ...fleet, kept: this.#answer }, message);
    }
    return this.#answer;
  }
}
