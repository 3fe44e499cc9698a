/**
 * Where the next iterator of a shard begins, so that nothing is left out whatever happened to the last one.
 *
 * - A checkpoint with a number: AT it, and what it covers is dropped on delivery (a KPL aggregate may be half done).
 * - After a read: AFTER the last sequence number read.
 * - The endpoint refuses a number (trimmed away, or of a stream that was deleted and made again): the trim horizon,
 *   which cannot leave anything out that still exists.
 * - LATEST with nothing read yet: a *second* iterator at LATEST would leave out what was put in between, so it is at
 *   the time of the first one, less a margin for clocks that differ.
 */
import type { Clock } from "../../shared/clock.ts";
import { AT_TIMESTAMP, type Checkpoint, isSentinel, LATEST } from "../core/lease.ts";
import type { Position } from "../ports/stream.ts";
import type { ShardReaderOptions } from "./shard-reader-options.ts";

const LATEST_MARGIN_MILLIS = 5_000;

export class ReadPosition {
  readonly #clock: Clock;
  #position: Position;

  constructor(checkpoint: Checkpoint, initialPosition: ShardReaderOptions["initialPosition"], clock: Clock) {
    this.#clock = clock;
    this.#position = startOf(checkpoint, initialPosition);
  }

  get current(): Position {
    return this.#position;
  }

  /** An iterator was given out for the current position. */
  opened(): void {
    if (this.#position.kind !== "latest") return;
    const timestamp = new Date(this.#clock.wallMillis() - LATEST_MARGIN_MILLIS);
    this.#position = { kind: "at-timestamp", timestamp };
  }

  read(lastSequenceNumber: string): void {
    this.#position = { kind: "after-sequence-number", sequenceNumber: lastSequenceNumber };
  }

  /**
   * The current position is refused. False: it stays, because it names no record that could be gone (and LATEST must
   * not become a replay of the whole stream because the endpoint had a bad moment).
   */
  refused(): boolean {
    const { kind } = this.#position;
    if (kind !== "at-sequence-number" && kind !== "after-sequence-number") return false;
    this.#position = { kind: "trim-horizon" };
    return true;
  }
}

function startOf(checkpoint: Checkpoint, initialPosition: ShardReaderOptions["initialPosition"]): Position {
  const { sequenceNumber } = checkpoint;
  if (!isSentinel(checkpoint)) return { kind: "at-sequence-number", sequenceNumber };
  if (sequenceNumber === LATEST) return { kind: "latest" };
  if (sequenceNumber === AT_TIMESTAMP && initialPosition instanceof Date) {
    return { kind: "at-timestamp", timestamp: initialPosition };
  }
  // TRIM_HORIZON; and AT_TIMESTAMP in a worker that is not told the time: too much beats too little.
  return { kind: "trim-horizon" };
}
