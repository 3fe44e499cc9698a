/** When a shard may and should be read again: a pure decision over the last read. All times are monotonic milliseconds. */

/** Kinesis allows five GetRecords a second per shard. */
export const MIN_READ_SPACING_MILLIS = 200;
/** Kinesis allows 2 MiB a second per shard: after a full answer of 10 MiB the next call within 5 s is refused. */
const BYTES_PER_MILLI = (2 * 1024 * 1024) / 1000;
/**
 * Asked for in one read, as far as the size of the last records tells: what a shard gives in three eighths of a second.
 * Five such reads a second outrun it. Smaller ones cost CPU, larger ones (up to 10 MiB) memory, several times their
 * size: `npm run bench -- per-record`.
 */
export const WANTED_READ_BYTES = 768 * 1024;
/**
 * A shard that was empty this many times in a row is read half as often, until it brings a record: saves half the
 * calls of a shard nobody writes to, and costs its next record at most one idle time more. No more than half: the
 * delay of that record is what a user notices.
 */
const READS_UNTIL_QUIET = 60;

export interface FinishedRead {
  readonly startedAtMillis: number;
  readonly bytes: number;
  readonly count: number;
  /** The most records it could have brought. */
  readonly limit: number;
  readonly millisBehindLatest: number;
  /** Reads in a row that brought nothing, this one included. */
  readonly emptyReads: number;
}

/** When Kinesis allows the next call. */
export const allowedAtMillis = (read: Pick<FinishedRead, "startedAtMillis" | "bytes">): number =>
  read.startedAtMillis + Math.max(MIN_READ_SPACING_MILLIS, Math.ceil(read.bytes / BYTES_PER_MILLI));

/**
 * - a full read, and one that found something and is behind: on at once, within the two limits;
 * - at the tip of the shard: after the idle time, counted from start to start, so that the mean wait of a record is
 *   half the idle time at no more than one call per idle time;
 * - empty but behind (Kinesis walks through a stretch without records): soon, then less and less often, up to the
 *   idle time.
 */
export function nextReadAtMillis(read: FinishedRead, idleTimeBetweenReadsMillis: number): number {
  const allowedAt = allowedAtMillis(read);
  const behind = read.millisBehindLatest > 0;
  if (read.count >= read.limit || (read.count > 0 && behind)) return allowedAt;
  let idleMillis = idleTimeBetweenReadsMillis;
  if (behind) {
    idleMillis = Math.min(idleMillis, MIN_READ_SPACING_MILLIS * 2 ** Math.min(read.emptyReads - 1, 10));
  } else if (read.emptyReads >= READS_UNTIL_QUIET) {
    idleMillis *= 2;
  }
  return Math.max(allowedAt, read.startedAtMillis + idleMillis);
}
