/**
 * What blocked event loops and pauses excuse: a worker that was blocked publishes a longer failover time for a while, so
 * that its crash is noticed later. The oracle's own reckoning of how much later at most.
 */
import type { Swarm } from "../swarm.ts";
import type { SimEvent } from "../world/history.ts";
import { longestFailover } from "./unequal.ts";

/** The published time is bounded by so many options. */
const MAX_PARTS = 10;
/** A block is covered for twice its length, beside the option. */
const COVERED_TIMES = 2;
/** Blocks that follow each other so closely may be measured as one. */
const ONE_BLOCK_MILLIS = 5;
/** A pulse may have been due just before the block. */
const PART_OF_PULSE = 1 / 20;

const covering = (swarm: Swarm, blockMillis: number): number => {
  const option = longestFailover(swarm);
  return blockMillis < option * (1 / 3 - PART_OF_PULSE)
    ? option
    : Math.min(MAX_PARTS * option, option + COVERED_TIMES * (blockMillis + PART_OF_PULSE * option));
};

/** Any worker's at any time, by what the run has in store for it. */
export function longestPublished(swarm: Swarm): number {
  const pauses = swarm.schedule.map(({ action }) => (action.kind === "pause" ? action.millis : 0));
  const mayBeBlocked = swarm.faults.blockedLoops !== undefined || pauses.some((millis) => millis > 0);
  return mayBeBlocked ? MAX_PARTS * longestFailover(swarm) : longestFailover(swarm);
}

/** Follows the history: what any worker may publish by now. What decays is not followed. */
export class PublishedTimes {
  readonly #swarm: Swarm;
  readonly #blocks = new Map<string, { from: number; until: number }>();
  #longestMillis = 0;

  constructor(swarm: Swarm) {
    this.#swarm = swarm;
  }

  add(event: SimEvent): void {
    if (event.type !== "trouble" || (event.kind !== "pause" && event.kind !== "blocked-loop")) return;
    const until = event.until ?? event.t;
    let block = this.#blocks.get(event.worker);
    if (block === undefined || event.t > block.until + ONE_BLOCK_MILLIS) block = { from: event.t, until };
    block.until = Math.max(block.until, until);
    this.#blocks.set(event.worker, block);
    this.#longestMillis = Math.max(this.#longestMillis, block.until - block.from);
  }

  get longestMillis(): number {
    return covering(this.#swarm, this.#longestMillis);
  }
}
