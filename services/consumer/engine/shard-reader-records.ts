/**
 * From the records of one read to those for the handler: what was read before is left out, KPL aggregates are expanded,
 * and, with `kplHashRange: "drop"`, user records that are another shard's are dropped.
 */
import type { HashRange } from "../../shared/hash-range.ts";
import { deaggregate } from "../core/deaggregate.ts";
import { isOutside } from "../core/kpl-hash-range.ts";
import { compareCheckpoints } from "../core/lease.ts";
import type { ConsumerRecord } from "../core/record.ts";
import type { Logger } from "../ports/logger.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { StreamRecord } from "../ports/stream.ts";

export interface RecordsDependencies {
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export class ShardRecords {
  readonly #dependencies: RecordsDependencies;
  readonly #shardId: string;
  /** Undefined: every user record is kept. */
  readonly #hashRange: HashRange | undefined;
  #hasSaidDrops = false;
  /** Set with a new iterator: what was read before is not delivered again, wherever the iterator had to begin. */
  #dropThrough: string | undefined;
  #lastSequenceNumber: string | undefined;

  /** @param hashRange the lease's; the rows of old Java fleets have none */
  constructor(
    dependencies: RecordsDependencies,
    shardId: string,
    kplHashRange: "keep" | "drop",
    hashRange: HashRange | undefined,
  ) {
    this.#dependencies = dependencies;
    this.#shardId = shardId;
    this.#hashRange = kplHashRange === "drop" ? hashRange : undefined;
    if (kplHashRange === "drop" && hashRange === undefined) {
      dependencies.logger.warn(
        { shardId },
        'the lease row has no hash range: every KPL user record of this shard is kept, although kplHashRange is "drop"',
      );
    }
  }

  /** A new iterator was opened. */
  reopened(): void {
    this.#dropThrough = this.#lastSequenceNumber;
  }

  take(records: readonly StreamRecord[]): readonly ConsumerRecord[] {
    const unread = this.#unread(records);
    const last = unread.at(-1);
    // While what was read before comes again, the end of that stays the mark.
    if (last !== undefined) this.#lastSequenceNumber = last.sequenceNumber;
    return this.#hashRange === undefined ? deaggregate(unread) : this.#within(this.#hashRange, unread);
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

  #within(range: HashRange, records: readonly StreamRecord[]): readonly ConsumerRecord[] {
    let dropped = 0;
    const keeps = (record: ConsumerRecord): boolean => {
      if (!isOutside(record, range)) return true;
      dropped += 1;
      return false;
    };
    const kept = deaggregate(records, { keeps });
    if (dropped > 0) this.#report(dropped);
    return kept;
  }

  #report(dropped: number): void {
    const { logger, metrics } = this.#dependencies;
    metrics.record("KplRecordsDropped", dropped, "Count", {
      Operation: "ProcessTask",
      ShardId: this.#shardId,
    });
    if (this.#hasSaidDrops) return;
    this.#hasSaidDrops = true;
    logger.warn(
      { shardId: this.#shardId, dropped },
      'KPL user records of other shards are dropped (kplHashRange: "drop"); a KPL producer sends them again. Counted in the metric KplRecordsDropped',
    );
  }
}
