/**
 * Where the next iterator of a shard begins, so that no record is left out, whatever happened to the last
 * iterator. No I/O.
 *
 * - A checkpoint with a number: AT it. What the checkpoint covers is dropped on delivery (a KPL aggregate may
 *   be half done).
 * - After a read: AFTER the last sequence number read.
 * - Kinesis refuses such a number several times over some seconds: it was trimmed, or belongs to a stream
 *   that was deleted and created again. The position moves back to when the last record arrived, less a
 *   margin. If that time is not known, it moves to the trim horizon. Neither can leave out a record that
 *   still exists. It moves only if Kinesis gives an iterator for the new place: if Kinesis refuses
 *   everything, the number is not the cause.
 * - LATEST with nothing read yet: at the time when the lease's row was created, for its first owner and for
 *   any later one. Kinesis refuses a time in the future. Then the clock that wrote the row is ahead, and the
 *   row was created earlier than it says. Waiting for that time would leave out records put until then, so
 *   the start moves back instead: by twice the time that the row is ahead of this worker's clock (at least a
 *   minute), and four times as far at each further refusal.
 * - LATEST in a row without a time (a Java fleet's): at the tip. A second iterator at the tip would leave out
 *   records put in between, so it begins at the time of the first one, less a minute.
 * - A Date in the future is waited for.
 */

import { AT_TIMESTAMP, beginsAtATime, isSentinel, LATEST, type Lease } from "../../core/lease.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Position, StreamRecord } from "../../ports/stream.ts";
import type { ShardReaderOptions } from "./reader-options.ts";

/** The most that clocks may differ: the workers', Kinesis's, and the arrival times of successive records. */
const CLOCK_TOLERANCE_MILLIS = 60_000;
/** A good two hours: the furthest that repeated refusals move a refused LATEST back. */
const MAX_EARLIER_MILLIS = 128 * CLOCK_TOLERANCE_MILLIS;
/** The position moves after this many refusals of a number in a row … */
const REFUSALS_OF_A_NUMBER = 3;
/** … over at least this time: a momentary failure proves nothing. */
const REFUSED_FOR_MILLIS = 5_000;

export type LeaseStart = Pick<Lease, "checkpoint" | "startMillis">;

export class ReadPosition {
  readonly #clock: Clock;
  /** LATEST, and nothing read yet. */
  #beginsAtLatest: boolean;
  /** How much before `#startMillis` the position is. */
  #earlierMillis = 0;
  #startMillis: number;
  #position: Position;
  #lastArrivalMillis: number | undefined;
  #refusals = 0;
  #refusedSinceMillis = 0;

  constructor(lease: LeaseStart, initialPosition: ShardReaderOptions["initialPosition"], clock: Clock) {
    this.#clock = clock;
    this.#beginsAtLatest = lease.checkpoint.sequenceNumber === LATEST;
    this.#position = startOf(lease, initialPosition);
    this.#startMillis = lease.startMillis ?? clock.wallMillis();
  }

  get current(): Position {
    return this.#position;
  }

  /** An iterator was issued for the current position. */
  opened(): void {
    this.#refusals = 0;
    if (this.#position.kind !== "latest") return;
    this.#startMillis = this.#clock.wallMillis();
    this.#earlierMillis = CLOCK_TOLERANCE_MILLIS;
    this.#position = atTime(this.#startMillis - this.#earlierMillis);
  }

  read({ sequenceNumber, approximateArrivalTimestamp }: StreamRecord): void {
    this.#beginsAtLatest = false;
    this.#position = { kind: "after-sequence-number", sequenceNumber };
    const arrivalMillis = approximateArrivalTimestamp.getTime();
    // An endpoint without arrival times returns the epoch.
    this.#lastArrivalMillis = arrivalMillis > 0 ? arrivalMillis : undefined;
  }

  /**
   * Kinesis refuses the current position.
   * @returns other places to try, nearest first; call `movedTo` for the one that gets an iterator. Usually
   *   empty: then the current position, which may have changed, is tried again.
   */
  refused(): readonly Position[] {
    const { kind } = this.#position;
    if (kind === "at-timestamp" && this.#beginsAtLatest) this.#moveStartBack();
    if (kind !== "at-sequence-number" && kind !== "after-sequence-number") return [];
    const now = this.#clock.monotonicMillis();
    if (this.#refusals === 0) this.#refusedSinceMillis = now;
    this.#refusals += 1;
    if (this.#refusals < REFUSALS_OF_A_NUMBER || now - this.#refusedSinceMillis < REFUSED_FOR_MILLIS)
      return [];
    const arrival = this.#lastArrivalMillis;
    const horizon: Position = { kind: "trim-horizon" };
    return arrival === undefined ? [horizon] : [atTime(arrival - CLOCK_TOLERANCE_MILLIS), horizon];
  }

  movedTo(position: Position): void {
    this.#position = position;
    this.#refusals = 0;
  }

  #moveStartBack(): void {
    const aheadMillis = this.#startMillis - this.#clock.wallMillis();
    const earlierMillis =
      this.#earlierMillis === 0
        ? Math.max(CLOCK_TOLERANCE_MILLIS, 2 * aheadMillis)
        : Math.min(4 * this.#earlierMillis, MAX_EARLIER_MILLIS);
    if (earlierMillis <= this.#earlierMillis) return;
    this.#earlierMillis = earlierMillis;
    this.#position = atTime(this.#startMillis - earlierMillis);
  }
}

const atTime = (millis: number): Position => ({ kind: "at-timestamp", timestamp: new Date(millis) });

function startOf(lease: LeaseStart, initialPosition: ShardReaderOptions["initialPosition"]): Position {
  const { checkpoint, startMillis } = lease;
  const { sequenceNumber } = checkpoint;
  if (!isSentinel(checkpoint)) return { kind: "at-sequence-number", sequenceNumber };
  if (startMillis !== undefined && beginsAtATime(checkpoint)) return atTime(startMillis);
  if (sequenceNumber === LATEST) return { kind: "latest" };
  if (sequenceNumber === AT_TIMESTAMP && initialPosition instanceof Date) {
    return { kind: "at-timestamp", timestamp: initialPosition };
  }
  // TRIM_HORIZON, or AT_TIMESTAMP in a worker without the time: reading too much is better than reading too
  // little.
  return { kind: "trim-horizon" };
}
