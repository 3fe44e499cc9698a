/**
 * Which shard's handler blocked the event loop: the calls, their synchronous parts, and the measured blocks.
 * Time that one shard's handler is known to have held the loop does not count against another shard. Known is
 * the synchronous part of a call. A block right before the end of a call also counts as that call's own.
 */

export interface Span {
  readonly fromMillis: number;
  readonly toMillis: number;
}

export interface Call {
  readonly shardId: string;
  readonly fromMillis: number;
  heldMillis: number;
}

/** Of each list. A call of hours may exceed this; the oldest entries are dropped. */
const MAX_KEPT = 64;

export class HeldSpans {
  readonly #leastMillis: number;
  readonly #running = new Set<Call>();
  /** Shards whose calls have ended since the last pulse. */
  readonly #ended = new Set<string>();
  #held: (Span & { readonly shardId: string })[] = [];
  #blocks: Span[] = [];
  /** When the last call began, returned or ended: a block before that cannot be the end of another call. */
  #markMillis = Number.NEGATIVE_INFINITY;

  /** @param leastMillis shorter spans are not kept */
  constructor(leastMillis: number) {
    this.#leastMillis = leastMillis;
  }

  /** Shards whose handlers were running at some time since the last pulse. */
  get inBlock(): readonly string[] {
    return [...new Set([...this.#ended, ...[...this.#running].map(({ shardId }) => shardId)])].toSorted();
  }

  begin(shardId: string, nowMillis: number): Call {
    const call = { shardId, fromMillis: nowMillis, heldMillis: 0 };
    this.#running.add(call);
    this.#markMillis = nowMillis;
    return call;
  }

  returned(call: Call, nowMillis: number): void {
    call.heldMillis = nowMillis - call.fromMillis;
    this.#hold(call, call.fromMillis, nowMillis);
  }

  blocked(block: Span): void {
    this.#blocks = [...this.#blocks, block].slice(-MAX_KEPT);
    this.#prune();
  }

  /**
   * @param current the block that may have ended just now
   * @returns the longest block that may be this call's
   */
  end(call: Call, current: Span): number {
    this.#running.delete(call);
    this.#ended.add(call.shardId);
    const { toMillis } = current;
    const within = { fromMillis: call.fromMillis, toMillis };
    this.#hold(call, Math.max(current.fromMillis, this.#markMillis, call.fromMillis), toMillis);
    const longest = [...this.#blocks, current].map((block) =>
      this.#own(call.shardId, overlap(block, within)),
    );
    return Math.max(call.heldMillis, ...longest);
  }

  /** A pulse has come. */
  forgetEnded(): void {
    this.#ended.clear();
  }

  #hold({ shardId }: Call, fromMillis: number, toMillis: number): void {
    this.#markMillis = toMillis;
    if (toMillis - fromMillis < this.#leastMillis) return;
    this.#held = [...this.#held, { shardId, fromMillis, toMillis }].slice(-MAX_KEPT);
  }

  #own(shardId: string, block: Span): number {
    const others = this.#held.filter((span) => span.shardId !== shardId);
    const theirs = others.reduce((sum, span) => sum + lengthOf(overlap(span, block)), 0);
    return Math.max(0, lengthOf(block) - theirs);
  }

  #prune(): void {
    const oldest = Math.min(...[...this.#running].map(({ fromMillis }) => fromMillis));
    this.#blocks = this.#blocks.filter(({ toMillis }) => toMillis >= oldest);
    this.#held = this.#held.filter(({ toMillis }) => toMillis >= oldest);
  }
}

const overlap = (a: Span, b: Span): Span => ({
  fromMillis: Math.max(a.fromMillis, b.fromMillis),
  toMillis: Math.min(a.toMillis, b.toMillis),
});

const lengthOf = ({ fromMillis, toMillis }: Span): number => Math.max(0, toMillis - fromMillis);
