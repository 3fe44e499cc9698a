/**
 * Where the next iterator of a shard begins, so that nothing is left out whatever happened to the last one. No I/O.
 *
 * - A checkpoint with a number: AT it, and what it covers is dropped on delivery (a KPL aggregate may be half done).
 * - After a read: AFTER the last sequence number read.
 * - Kinesis refuses that very number, several times over some seconds (trimmed away, or of a stream that was deleted
 *   and made again): back to where the last record arrived, less a margin; or, where its arrival is not known, to the
 *   trim horizon. Neither can leave out anything that still exists. The reader moves only when Kinesis gives an
 *   iterator for that other place: a refusal of everything is no refusal of a number.
 * - LATEST with nothing read yet begins at the time the lease's row was made, for its first owner and any later one.
 *   Kinesis refuses a time that is still to come: then the clock that wrote it is ahead, and the row was made earlier
 *   than it says. To wait for that time would leave out what is put until then, so the start moves back: by twice what
 *   the row is ahead of this worker's clock, at least a minute, and by four times as much at each further refusal. A row
 *   without a time (a Java fleet's) begins at the tip; a second iterator at the tip would leave out what was put in
 *   between, so that is at the time of the first, less a minute.
 * - A Date that is still to come is waited for.
 */

import { AT_TIMESTAMP, beginsAtATime, isSentinel, LATEST, type Lease } from "../../core/lease.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Position, StreamRecord } from "../../ports/stream.ts";
import type { ShardReaderOptions } from "./reader-options.ts";

/** What clocks may disagree by: the workers' and Kinesis's, and the arrival times of records that follow each other. */
const CLOCK_TOLERANCE_MILLIS = 60_000;
/** A good two hours: as far back as a refused LATEST moves by refusals alone. */
const MAX_EARLIER_MILLIS = 128 * CLOCK_TOLERANCE_MILLIS;
/** A number is given up after so many refusals in a row … */
const REFUSALS_OF_A_NUMBER = 3;
/** … over so long a time: a moment's fault is none. */
const REFUSED_FOR_MILLIS = 5_000;

export type LeaseStart = Pick<Lease, "checkpoint" | "startMillis">;

export class ReadPosition {
  readonly #clock: Clock;
  /** LATEST, and nothing read yet. */
  #beginsAtLatest: boolean;
  /** How much before `#startMillis` it begins. */
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

  /** An iterator was given out for the current position. */
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
    // An endpoint that does not tell it gives the epoch.
    this.#lastArrivalMillis = arrivalMillis > 0 ? arrivalMillis : undefined;
  }

  /**
   * Kinesis refuses the current position.
   * @returns where to try instead, nearest first, each for `movedTo` when it is given an iterator; mostly nothing: the
   *   current position, which may have changed, is asked for again
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
  // TRIM_HORIZON; and AT_TIMESTAMP in a worker that is not told the time: too much beats too little.
  return { kind: "trim-horizon" };
}
