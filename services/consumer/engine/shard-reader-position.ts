/**
 * Where the next iterator of a shard begins, so that nothing is left out whatever happened to the last one.
 *
 * - A checkpoint with a number: AT it, and what it covers is dropped on delivery (a KPL aggregate may be half done).
 * - After a read: AFTER the last sequence number read.
 * - The endpoint refuses a number (trimmed away, or of a stream that was deleted and made again): the trim horizon,
 *   which cannot leave anything out that still exists.
 * - LATEST with nothing read yet: it begins at the time the lease's row was made, for its first owner and any later one.
 *   An endpoint that refuses this time (the clock that wrote it is ahead) is asked for LATEST itself; a *second*
 *   iterator there would leave out what was put in between, so that is at the time of the first one, less a margin.
 */
import type { Clock } from "../../shared/clock.ts";
import { AT_TIMESTAMP, beginsAtATime, isSentinel, LATEST, type Lease } from "../core/lease.ts";
import type { Position } from "../ports/stream.ts";
import type { ShardReaderOptions } from "./shard-reader-options.ts";

const LATEST_MARGIN_MILLIS = 5_000;

export class ReadPosition {
  readonly #clock: Clock;
  readonly #isLatest: boolean;
  #position: Position;

  constructor(lease: LeaseStart, initialPosition: ShardReaderOptions["initialPosition"], clock: Clock) {
    this.#clock = clock;
    this.#isLatest = lease.checkpoint.sequenceNumber === LATEST;
    this.#position = startOf(lease, initialPosition);
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
    if (kind === "at-timestamp" && this.#isLatest) {
      this.#position = { kind: "latest" };
      return false;
    }
    if (kind !== "at-sequence-number" && kind !== "after-sequence-number") return false;
    this.#position = { kind: "trim-horizon" };
    return true;
  }
}

export type LeaseStart = Pick<Lease, "checkpoint" | "startMillis">;

function startOf(lease: LeaseStart, initialPosition: ShardReaderOptions["initialPosition"]): Position {
  const { checkpoint, startMillis } = lease;
  const { sequenceNumber } = checkpoint;
  if (!isSentinel(checkpoint)) return { kind: "at-sequence-number", sequenceNumber };
  if (startMillis !== undefined && beginsAtATime(checkpoint)) {
    return { kind: "at-timestamp", timestamp: new Date(startMillis) };
  }
  if (sequenceNumber === LATEST) return { kind: "latest" };
  if (sequenceNumber === AT_TIMESTAMP && initialPosition instanceof Date) {
    return { kind: "at-timestamp", timestamp: initialPosition };
  }
  // TRIM_HORIZON; and AT_TIMESTAMP in a worker that is not told the time: too much beats too little.
  return { kind: "trim-horizon" };
}
