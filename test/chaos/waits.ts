/** How long records waited for their first processing, not counting the time before a row was healed. */
import type { HistoryEvent } from "../../services/contract/history.ts";

export interface Wait {
  readonly millis: number;
  readonly shardId: string;
}

export class Waits {
  readonly #puts = new Map<string, { readonly t: number; readonly shardId: string }>();
  readonly #processedAt = new Map<string, number>();
  readonly #halted = new Set<string>();
  #unansweredPuts = 0;

  observe(event: HistoryEvent): void {
    if (event.type === "put") this.#puts.set(`${event.shardId} ${event.sequenceNumber}`, event);
    else if (event.type === "record") {
      const id = `${event.shardId} ${event.sequenceNumber}`;
      if (!this.#processedAt.has(id)) this.#processedAt.set(id, event.t);
    } else if (event.type === "event" && event.name === "shard-halted")
      this.#halted.add(String(event.shardId));
    else if (event.type === "event" && event.name === "put-unknown") this.#unansweredPuts += 1;
  }

  /** Records whose put got no answer in time. No fault applies to the load, so the machine was too busy. */
  get unansweredPuts(): number {
    return this.#unansweredPuts;
  }

  get put(): number {
    return this.#puts.size;
  }

  /** Shards that an error policy halted. Their records are not judged here. */
  get halted(): number {
    return this.#halted.size;
  }

  /** Undefined: no record to judge. Records that were never processed are judged by the checker of losses. */
  longest(healedAt: number): Wait | undefined {
    let longest: Wait | undefined;
    for (const [id, { t, shardId }] of this.#puts) {
      const processedAt = this.#processedAt.get(id);
      if (processedAt === undefined || this.#halted.has(shardId)) continue;
      const millis = Math.max(0, processedAt - Math.max(t, healedAt));
      if (longest === undefined || millis > longest.millis) longest = { millis, shardId };
    }
    return longest;
  }
}
