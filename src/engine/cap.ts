import type { Logger } from "../ports/logger.ts";
import type { EngineOptions } from "./engine-context.ts";

interface Fleet {
  readonly shards: number;
  readonly workers: number;
}

/**
 * The user's cap formula, called once for each state of the fleet. A formula whose result changes with each
 * call (with the time, or at random) would otherwise make every worker publish and scan without end. It is
 * not called while there are no shards. If it throws, the last result is kept.
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
