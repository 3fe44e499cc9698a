/**
 * What blocked event loops and pauses excuse. A worker that was blocked publishes a longer failover time for
 * a while, so its crash is noticed later. This is the oracle's own computation of how much later at most.
 */
import type { Swarm } from "../swarm.ts";
import type { SimEvent } from "../world/history.ts";
import { longestFailover } from "./unequal.ts";

/** The published time is at most this many times the option. */
const MAX_PARTS = 10;
/** A block is covered for twice its length, in addition to the option. */
const COVERED_TIMES = 2;
/** Blocks that follow each other this closely may be measured as one. */
const ONE_BLOCK_MILLIS = 5;
/** A pulse may have been due just before the block. */
const PART_OF_PULSE = 1 / 20;

const covering = (swarm: Swarm, blockMillis: number): number => {
  const option = longestFailover(swarm);
  return blockMillis < option * (1 / 3 - PART_OF_PULSE)
    ? option
    : Math.min(MAX_PARTS * option, option + COVERED_TIMES * (blockMillis + PART_OF_PULSE * option));
};

/** The longest failover time that any worker may publish at any time, by what the run has drawn. */
export function longestPublished(swarm: Swarm): number {
  const pauses = swarm.schedule.map(({ action }) => (action.kind === "pause" ? action.millis : 0));
  const mayBeBlocked = swarm.faults.blockedLoops !== undefined || pauses.some((millis) => millis > 0);
  return mayBeBlocked ? MAX_PARTS * longestFailover(swarm) : longestFailover(swarm);
}

interface Block {
  readonly from: number;
  until: number;
}

/** By worker: its blocks and pauses. Those that follow each other closely count as one. */
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

/**
 * Follows the history: the longest failover time that any worker may have published by now. Ignores that it
 * decays.
 */
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

/** A block must still be covered this long after it. */
const REMEMBERED_MILLIS = 45_000;
/** A worker that was marked dead during a block notices it within this time after the block. */
const HEARS_MILLIS = 3_000;

/** Blocks that a worker can have known: the same process was blocked for as long a short while before. */
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

  /** Whether a block that was not known explains why the worker was marked dead at `t`. */
  excuse(worker: string, t: number): boolean {
    const blocks = this.#blocks
      .of(worker)
      .filter(({ from, until }) => from <= t && until >= t - HEARS_MILLIS);
    return blocks.some((block) => !this.#isKnown(worker, block));
  }

  #isKnown(worker: string, block: Block): boolean {
    const started = Math.max(0, ...(this.#startedAt.get(worker) ?? []).filter((t) => t <= block.from));
    const option = longestFailover(this.#swarm);
    // The limit of the published time has no room for a longer block. A shorter one does not need this
    // excuse.
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
