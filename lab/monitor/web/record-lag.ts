/**
 * Records put but not handled yet, per shard, from the history lines of the producer and the consumers. The
 * files are read one after another, so a record may appear as handled before it appears as put. Bounded in
 * number and age.
 */
import type { HistoryEvent } from "../../../services/contract/history.ts";
import type { Lag, ShardLag } from "./dashboard-state.ts";

const MAX_HELD = 200_000;
/** Older records belong to an earlier run whose consumers are gone. */
const FORGET_MILLIS = 600_000;
const SLOWEST_SHOWN = 10;

export class RecordLag {
  /** Per shard: sequence number → put time; oldest first. */
  readonly #waiting = new Map<string, Map<string, number>>();
  readonly #handledEarly = new Map<string, Map<string, number>>();
  #held = 0;

  observe(event: HistoryEvent): void {
    if (event.type !== "put" && event.type !== "record") return;
    const [own, other] =
      event.type === "put" ? [this.#waiting, this.#handledEarly] : [this.#handledEarly, this.#waiting];
    if (other.get(event.shardId)?.delete(event.sequenceNumber)) {
      this.#held -= 1;
      return;
    }
    if (this.#held >= MAX_HELD) return;
    const shard = own.get(event.shardId) ?? new Map<string, number>();
    own.set(event.shardId, shard);
    if (!shard.has(event.sequenceNumber)) this.#held += 1;
    shard.set(event.sequenceNumber, event.t);
  }

  /** @param owners lease key → worker id */
  at(now: number, owners: ReadonlyMap<string, string>): Lag {
    this.#forget(this.#waiting, now - FORGET_MILLIS);
    this.#forget(this.#handledEarly, now - FORGET_MILLIS);
    const shards: ShardLag[] = [];
    const workers: Record<string, { waiting: number; oldestMillis: number }> = {};
    for (const [key, records] of this.#waiting) {
      const oldest = records.values().next();
      if (oldest.done) continue;
      const oldestMillis = Math.max(0, now - oldest.value);
      shards.push({ key, waiting: records.size, oldestMillis });
      const owner = owners.get(key);
      if (owner === undefined) continue;
      const sum = workers[owner] ?? { waiting: 0, oldestMillis: 0 };
      workers[owner] = {
        waiting: sum.waiting + records.size,
        oldestMillis: Math.max(sum.oldestMillis, oldestMillis),
      };
    }
    return {
      workers,
      shards: shards.toSorted((a, b) => b.oldestMillis - a.oldestMillis).slice(0, SLOWEST_SHOWN),
    };
  }

  #forget(shards: Map<string, Map<string, number>>, since: number): void {
    for (const [key, records] of shards) {
      for (const [sequenceNumber, t] of records) {
        if (t >= since) break;
        records.delete(sequenceNumber);
        this.#held -= 1;
      }
      if (records.size === 0) shards.delete(key);
    }
  }
}
