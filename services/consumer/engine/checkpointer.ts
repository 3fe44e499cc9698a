/**
 * How far a shard is processed, and the writing of it: newest progress wins, one write at a time, at most one per
 * interval, the last one never forgotten. `StoreUnavailable` is retried with backoff behind the handler's back; a failed
 * fence closes it for good.
 */
import type { Clock } from "../../shared/clock.ts";
import { backoffMillis, type Random } from "../../shared/random.ts";
import { type Checkpoint, compareCheckpoints } from "../core/lease.ts";
import type { Logger } from "../ports/logger.ts";
import type { HeldLease } from "./shard-consumer.ts";
import { type CheckpointFunction, CheckpointRefused, type RecordPosition } from "./shard-reader-options.ts";

export interface CheckpointerParts {
  readonly held: HeldLease;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly intervalMillis: number;
  /** The fence failed: another worker has the lease. */
  readonly onLost: () => void;
}

/** The right to checkpoint that one handler call has. */
export interface CallCheckpoints {
  readonly checkpoint: CheckpointFunction;
  /** The call failed or was given up: what it still says counts no more. */
  revoke(reason: string): void;
}

const LOG_EVERY_FAILURES = 10;

export class Checkpointer {
  readonly #parts: CheckpointerParts;
  /** Aborts when no further write may start. */
  readonly #resting = new AbortController();
  #closed = false;
  #progress: Checkpoint;
  #written: Checkpoint;
  #lastWriteAtMillis: number;
  #writing: Promise<void> | undefined;

  constructor(parts: CheckpointerParts) {
    this.#parts = parts;
    this.#progress = parts.held.lease.checkpoint;
    this.#written = this.#progress;
    // Shards that start together do not all write together ever after.
    this.#lastWriteAtMillis = parts.clock.monotonicMillis() - parts.random.next() * parts.intervalMillis;
  }

  /** Everything up to here is done; written or about to be. */
  get progress(): Checkpoint {
    return this.#progress;
  }

  /** Progress never goes back: what is behind it already changes nothing. */
  advance(to: Checkpoint): void {
    if (this.#closed || compareCheckpoints(to, this.#progress) <= 0) return;
    this.#progress = to;
    if (!this.#resting.signal.aborted) this.#writing ??= this.#write();
  }

  /** Resolves when the progress of now is written, or never will be (closed, lost), or `signal` aborts. */
  whenWritten(signal?: AbortSignal): Promise<void> {
    const writing = this.#writing;
    if (writing === undefined || signal === undefined) return writing ?? Promise.resolve();
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      signal.addEventListener("abort", done, { once: true });
      void writing.then(done);
    });
  }

  /**
   * A drain was asked for: no write starts any more, because the hand-over carries the progress in its own. A crash
   * before it replays no more than one without the drain: what was unwritten now, and the batch in hand.
   */
  rest(): void {
    this.#resting.abort();
  }

  /** Progress ends here. Resolves when the write under way is over. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#resting.abort();
    await this.#writing;
  }

  /** `delivered`: the last record that may be named. `finished`: what is meant where none is named. */
  forCall(delivered: Checkpoint, finished = delivered): CallCheckpoints {
    let revoked: string | undefined;
    return {
      checkpoint: (position) => {
        if (this.#closed) {
          throw new CheckpointRefused("checkpoint refused: this worker no longer reads the shard");
        }
        if (revoked !== undefined) throw new CheckpointRefused(`checkpoint refused: ${revoked}`);
        this.advance(position === undefined ? finished : this.#validated(position, delivered));
        return this.#parts.intervalMillis === 0 ? this.whenWritten() : Promise.resolve();
      },
      revoke: (reason) => {
        revoked = reason;
      },
    };
  }

  #validated(position: RecordPosition, delivered: Checkpoint): Checkpoint {
    const { sequenceNumber, subSequenceNumber = 0 } = position;
    const asked = { sequenceNumber, subSequenceNumber };
    if (!/^\d+$/.test(sequenceNumber) || !Number.isInteger(subSequenceNumber) || subSequenceNumber < 0) {
      throw new CheckpointRefused(
        `checkpoint refused: ${shown(asked)} is no position; pass a record, or a decimal sequenceNumber and a subSequenceNumber >= 0`,
      );
    }
    if (compareCheckpoints(asked, delivered) > 0) {
      throw new CheckpointRefused(
        `checkpoint refused: ${shown(asked)} is beyond the last delivered record ${shown(delivered)}`,
      );
    }
    if (compareCheckpoints(asked, this.#progress) < 0) {
      throw new CheckpointRefused(
        `checkpoint refused: ${shown(asked)} is before the last checkpoint ${shown(this.#progress)}; checkpoints only go forward`,
      );
    }
    return asked;
  }

  async #write(): Promise<void> {
    const { held, clock, random, logger, intervalMillis, onLost } = this.#parts;
    let failures = 0;
    while (compareCheckpoints(this.#progress, this.#written) > 0) {
      const waitMillis =
        failures > 0
          ? backoffMillis(failures, random, 100)
          : this.#lastWriteAtMillis + intervalMillis - clock.monotonicMillis();
      if (waitMillis > 0) await clock.sleep(waitMillis, this.#resting.signal);
      if (this.#resting.signal.aborted) break;
      const target = this.#progress;
      this.#lastWriteAtMillis = clock.monotonicMillis();
      try {
        if ((await held.checkpoint(target)) === "lost") {
          this.#closed = true;
          this.#resting.abort();
          onLost();
          break;
        }
        this.#written = target;
        failures = 0;
      } catch (error) {
        if (failures % LOG_EVERY_FAILURES === 0) {
          const fields = { shardId: held.leaseKey, failures: failures + 1, error: String(error) };
          logger.warn(
            fields,
            "checkpoint not written, retrying; a crash now would replay more than the interval",
          );
        }
        failures += 1;
      }
    }
    this.#writing = undefined;
  }
}

const shown = (checkpoint: Checkpoint): string =>
  checkpoint.subSequenceNumber === 0
    ? checkpoint.sequenceNumber
    : `${checkpoint.sequenceNumber}/${checkpoint.subSequenceNumber}`;
