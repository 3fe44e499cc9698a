/**
 * From the records of one read to those for the handler: what was read before is left out, KPL aggregates are expanded,
 * and, with `kplHashRange: "drop"`, user records that are another shard's are dropped.
 *
 * What one read brought is given out in pieces: expanded at once, a read full of tiny user records would be objects of
 * many times its bytes, which no budget of bytes knows of.
 */

import { Expansion } from "../../core/deaggregate.ts";
import type { HashRange } from "../../core/hash-range.ts";
import { isOutside } from "../../core/kpl-hash-range.ts";
import { compareCheckpoints } from "../../core/lease.ts";
import type { ConsumerRecord } from "../../core/record.ts";
import type { Logger } from "../../ports/logger.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { StreamRecord } from "../../ports/stream.ts";

/** As many as a read without aggregates has at the most: the handler's batches are no larger with them. */
const MAX_PIECE_RECORDS = 10_000;

export interface RecordsDeps {
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export class ShardRecords {
  readonly #deps: RecordsDeps;
  readonly #shardId: string;
  /** Undefined: every user record is kept. */
  readonly #hashRange: HashRange | undefined;
  #hasLoggedDrops = false;
  /** Set with a new iterator: what was read before is not delivered again, wherever the iterator had to begin. */
  #dropThrough: string | undefined;
  #lastSequenceNumber: string | undefined;
  #expansion: Expansion | undefined;
  #dropped = 0;

  /** @param hashRange the lease's; the rows of old Java fleets have none */
  constructor(
    deps: RecordsDeps,
    shardId: string,
    kplHashRange: "keep" | "drop",
    hashRange: HashRange | undefined,
  ) {
    this.#deps = deps;
    this.#shardId = shardId;
    this.#hashRange = kplHashRange === "drop" ? hashRange : undefined;
    if (kplHashRange === "drop" && hashRange === undefined) {
      deps.logger.warn(
        { shardId },
        'the lease row has no hash range: every KPL user record of this shard is kept, although kplHashRange is "drop"',
      );
    }
  }

  /** A new iterator was opened. */
  reopened(): void {
    this.#dropThrough = this.#lastSequenceNumber;
  }

  /** Whether the last read has more than `nextPiece` has given out. */
  get hasMore(): boolean {
    return this.#expansion !== undefined;
  }

  /** What a read brought, and all that was read before must be given out. @returns the first piece */
  take(records: readonly StreamRecord[]): readonly ConsumerRecord[] {
    const unread = this.#unread(records);
    const last = unread.at(-1);
    // While what was read before comes again, the end of that stays the mark.
    if (last !== undefined) this.#lastSequenceNumber = last.sequenceNumber;
    const range = this.#hashRange;
    const keeps = range === undefined ? undefined : (record: ConsumerRecord) => this.#keeps(record, range);
    this.#expansion = new Expansion(unread, { keeps });
    return this.nextPiece();
  }

  nextPiece(): readonly ConsumerRecord[] {
    const piece = this.#expansion?.next(MAX_PIECE_RECORDS) ?? [];
    if (this.#expansion?.isOver) this.#expansion = undefined;
    if (this.#dropped > 0) this.#report(this.#dropped);
    this.#dropped = 0;
    return piece;
  }

  #unread(records: readonly StreamRecord[]): readonly StreamRecord[] {
    if (this.#dropThrough === undefined || records.length === 0) return records;
    const through = { sequenceNumber: this.#dropThrough, subSequenceNumber: 0 };
    const first = records.findIndex(
      ({ sequenceNumber }) => compareCheckpoints({ sequenceNumber, subSequenceNumber: 0 }, through) > 0,
    );
    if (first === -1) return [];
    this.#dropThrough = undefined;
    return first === 0 ? records : records.slice(first);
  }

  #keeps(record: ConsumerRecord, range: HashRange): boolean {
    if (!isOutside(record, range)) return true;
    this.#dropped += 1;
    return false;
  }

  #report(dropped: number): void {
    const { logger, metrics } = this.#deps;
    metrics.record("KplRecordsDropped", dropped, "Count", {
      Operation: "ProcessTask",
      ShardId: this.#shardId,
    });
    if (this.#hasLoggedDrops) return;
    this.#hasLoggedDrops = true;
    logger.warn(
      { shardId: this.#shardId, dropped },
      'KPL user records of other shards are dropped (kplHashRange: "drop"); a KPL producer sends them again. Counted in the metric KplRecordsDropped',
    );
  }
}
