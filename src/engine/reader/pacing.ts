/**
 * When a shard may and should be read again: a pure decision from the last read. All times are monotonic
 * milliseconds.
 */

/** Kinesis allows five GetRecords calls a second per shard. */
export const MIN_READ_SPACING_MILLIS = 200;
/**
 * Kinesis allows 2 MiB a second per shard: after a full response of 10 MiB, a call within the next 5 s is
 * refused.
 */
const BYTES_PER_MILLI = (2 * 1024 * 1024) / 1000;
/**
 * Requested in one read, as far as the size of the last records allows to predict: what a shard delivers in
 * three eighths of a second. Five such reads a second outrun the shard. Smaller reads cost CPU. Larger ones
 * (up to 10 MiB) cost several times their size in memory: `npm run bench -- per-record`.
 */
export const WANTED_READ_BYTES = 768 * 1024;
/**
 * A shard that was empty this many times in a row is read half as often, until it returns a record. That
 * saves half the calls of an idle shard, and delays its next record by at most one more idle time. Not less
 * often than half, because users notice that delay.
 */
const READS_UNTIL_QUIET = 60;

export interface FinishedRead {
  readonly startedAtMillis: number;
  readonly bytes: number;
  readonly count: number;
  /** The most records the read could have returned. */
  readonly limit: number;
  readonly millisBehindLatest: number;
  /** Reads in a row that returned nothing, including this one. */
  readonly emptyReads: number;
}

/** When Kinesis allows the next call. */
export const allowedAtMillis = (read: Pick<FinishedRead, "startedAtMillis" | "bytes">): number =>
  read.startedAtMillis + Math.max(MIN_READ_SPACING_MILLIS, Math.ceil(read.bytes / BYTES_PER_MILLI));

/**
 * - A full read, or one that returned records and is behind: again at once, within the two limits.
 * - At the tip of the shard: after the idle time, counted from start to start. The mean wait of a record is
 *   then half the idle time, at no more than one call per idle time.
 * - Empty but behind (Kinesis walks through a stretch without records): soon, then less and less often, up to
 *   the idle time.
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
