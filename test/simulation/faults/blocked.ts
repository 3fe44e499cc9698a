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

interface Block {
  readonly from: number;
  until: number;
}

/** By worker: its blocks and pauses, those that follow each other closely as one. */
class Blocks {
  readonly #byWorker = new Map<string, Block[]>();

  /** @returns the block that the event belongs to */
  add(event: SimEvent): Block | undefined {
    if (event.type !== "trouble" || (event.kind !== "pause" && event.kind !== "blocked-loop"))
      return undefined;
    const until = event.until ?? event.t;
    const blocks = this.of(event.worker);
    let block = blocks.at(-1);
    if (block === undefined || event.t > block.until + ONE_BLOCK_MILLIS) {
      block = { from: event.t, until };
      this.#byWorker.set(event.worker, [...blocks, block]);
    }
    block.until = Math.max(block.until, until);
    return block;
  }

  of(worker: string): readonly Block[] {
    return this.#byWorker.get(worker) ?? [];
  }
}

const lengthOf = ({ from, until }: Block): number => until - from;

/** Follows the history: what any worker may publish by now. What decays is not followed. */
export class PublishedTimes {
  readonly #swarm: Swarm;
  readonly #blocks = new Blocks();
  #longestBlockMillis = 0;

  constructor(swarm: Swarm) {
    this.#swarm = swarm;
  }

  add(event: SimEvent): void {
    const block = this.#blocks.add(event);
    if (block !== undefined) this.#longestBlockMillis = Math.max(this.#longestBlockMillis, lengthOf(block));
  }

  get longestMillis(): number {
    return covering(this.#swarm, this.#longestBlockMillis);
  }
}

/** So long after a block it must still be covered, and its worker, had it been found dead, hears of it. */
const REMEMBERED_MILLIS = 45_000;
const HEARS_MILLIS = 3_000;

/** Blocks that a worker can have known of: it was blocked for as long a short while before, in the same process. */
export class KnownBlocks {
  readonly #swarm: Swarm;
  readonly #blocks = new Blocks();
  readonly #startedAt = new Map<string, number[]>();

  constructor(swarm: Swarm, events: readonly SimEvent[]) {
    this.#swarm = swarm;
    for (const event of events) {
      this.#blocks.add(event);
      if (event.type === "worker" && event.action === "started")
        this.#startedAt.set(event.worker, [...(this.#startedAt.get(event.worker) ?? []), event.t]);
    }
  }

  /** A block that was not known explains that the worker was found dead at `t`. */
  excuse(worker: string, t: number): boolean {
    const blocks = this.#blocks
      .of(worker)
      .filter(({ from, until }) => from <= t && until >= t - HEARS_MILLIS);
    return blocks.some((block) => !this.#isKnown(worker, block));
  }

  #isKnown(worker: string, block: Block): boolean {
    const started = Math.max(0, ...(this.#startedAt.get(worker) ?? []).filter((t) => t <= block.from));
    const option = longestFailover(this.#swarm);
    // The bound of the published time leaves room for no longer one; one that is shorter has no need of it.
    if (lengthOf(block) > (MAX_PARTS - 2) * option) return false;
    return this.#blocks
      .of(worker)
      .some(
        (earlier) =>
          earlier.from >= started &&
          earlier.until < block.from &&
          earlier.until >= block.from - REMEMBERED_MILLIS &&
          lengthOf(earlier) >= lengthOf(block),
      );
  }
}
