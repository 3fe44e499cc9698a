/**
 * Turns the records of one read into those for the handler: records read before are left out, KPL aggregates
 * are expanded, and, with `kplHashRange: "drop"`, user records that belong to another shard are dropped.
 *
 * The result is returned in pieces. Expanded at once, a read full of tiny user records would become objects
 * of many times its bytes, which no byte budget accounts for.
 */

import { Expansion } from "../../core/deaggregate.ts";
import type { HashRange } from "../../core/hash-range.ts";
import { isOutside } from "../../core/kpl-hash-range.ts";
import { compareCheckpoints } from "../../core/lease.ts";
import type { ConsumerRecord } from "../../core/record.ts";
import type { Logger } from "../../ports/logger.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { StreamRecord } from "../../ports/stream.ts";

/** The most that a read without aggregates returns: batches are no larger with them. */
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
  /**
   * Set with a new iterator: records up to this one are not delivered again, wherever the iterator had to
   * begin.
   */
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

  /** Whether the last read has more than `nextPiece` has returned. */
  get hasMore(): boolean {
    return this.#expansion !== undefined;
  }

  /**
   * Takes the records of a read. All pieces of the previous read must have been returned.
   * @returns the first piece
   */
  take(records: readonly StreamRecord[]): readonly ConsumerRecord[] {
    const unread = this.#unread(records);
    const last = unread.at(-1);
    // While records that were read before come again, the mark stays at the last of them.
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
