/**
 * Tracks how far a shard is processed, and writes it. The newest progress wins, one write at a time, at most
 * one per interval, and the last one is always written. If the store does not respond, the write is retried
 * with backoff in the background. After a failed fence nothing more is written.
 */

import { CheckpointRefusedError } from "../../core/errors.ts";
import { type Checkpoint, compareCheckpoints } from "../../core/lease.ts";
import type { Clock } from "../../ports/clock.ts";
import { backoffMillis, type Random } from "../../ports/random.ts";
import { type ErrorReports, errorClassIn } from "../error-reports.ts";
import type { CheckpointFunction, RecordPosition } from "./reader-options.ts";
import type { HeldLease } from "./shard-consumer.ts";

export interface CheckpointerDeps {
  readonly held: HeldLease;
  readonly clock: Clock;
  readonly random: Random;
  readonly reports: ErrorReports;
  /** 0: `checkpoint()` resolves when the position is written. */
  readonly intervalMillis: number;
  /** The fence failed: another worker has the lease. */
  readonly onLost: () => void;
}

/** The right to checkpoint that one handler call has. */
export interface CallCheckpoints {
  readonly checkpoint: CheckpointFunction;
  /** The handler has checkpointed the last record of its call. */
  readonly hasFinished: boolean;
  /** The call failed or timed out: its later checkpoints are refused. */
  revoke(reason: string): void;
}

export interface CallRange {
  /** The last record that may be checkpointed. */
  readonly delivered: Checkpoint;
  /** What a checkpoint without a position means. Default: `delivered`. */
  readonly finished?: Checkpoint;
  /** The call's records come after one that is not settled. Their checkpoints count once this resolves. */
  readonly after?: Promise<void> | undefined;
}

export class Checkpointer {
  readonly #parts: CheckpointerDeps;
  /** Aborts when no write may start any more, except for one that a caller demands. */
  readonly #resting = new AbortController();
  /** Aborts when no write at all may start any more. */
  readonly #closing = new AbortController();
  #progress: Checkpoint;
  #written: Checkpoint;
  /** A caller waits until everything up to here is written, even while resting. */
  #demanded: Checkpoint | undefined;
  #lastWriteAtMillis: number;
  #writing: Promise<void> | undefined;
  /** Called each time the progress moves. */
  #onProgress: () => void = () => undefined;

  constructor(parts: CheckpointerDeps) {
    this.#parts = parts;
    this.#progress = parts.held.lease.checkpoint;
    this.#written = this.#progress;
    // A random phase, so that shards that start together do not always write together.
    this.#lastWriteAtMillis = parts.clock.monotonicMillis() - parts.random.next() * parts.intervalMillis;
  }

  /** Everything up to here is done; it is written or about to be. */
  get progress(): Checkpoint {
    return this.#progress;
  }

  /** Progress never goes back: an earlier position changes nothing. */
  advance(to: Checkpoint): void {
    if (this.#closing.signal.aborted || compareCheckpoints(to, this.#progress) <= 0) return;
    this.#progress = to;
    this.#startWriting();
    this.#onProgress();
  }

  /** Resolves when everything up to `position` is done, or `signal` aborts. */
  whenReached(position: Checkpoint, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!signal.aborted && compareCheckpoints(this.#progress, position) < 0) return;
        this.#onProgress = () => undefined;
        signal.removeEventListener("abort", check);
        resolve();
      };
      this.#onProgress = check;
      signal.addEventListener("abort", check);
      check();
    });
  }

  /** Resolves when the current progress is written, or never will be (closed, lost), or `signal` aborts. */
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
   * A drain was requested: no more writes start, because the hand-over writes the progress. A crash before it
   * replays no more than one without the drain: what was unwritten by now, and the batch in flight. With
   * interval 0, the handler's own checkpoints are still written at once, because `checkpoint()` promises
   * that.
   */
  rest(): void {
    this.#resting.abort();
  }

  /** Progress ends here. Resolves when the write in flight is over. */
  async close(): Promise<void> {
    this.#resting.abort();
    this.#closing.abort();
    await this.#writing;
  }

  forCall({ delivered, finished = delivered, after }: CallRange): CallCheckpoints {
    let revoked: string | undefined;
    let hasFinished = false;
    return {
      get hasFinished() {
        return hasFinished;
      },
      checkpoint: (position) => {
        if (this.#closing.signal.aborted) {
          throw new CheckpointRefusedError("checkpoint refused: this worker no longer reads the shard");
        }
        if (revoked !== undefined) throw new CheckpointRefusedError(`checkpoint refused: ${revoked}`);
        const to = position === undefined ? finished : this.#validated(position, delivered);
        hasFinished ||= compareCheckpoints(to, delivered) >= 0;
        if (after !== undefined) {
          void after.then(() => this.advance(to));
          return Promise.resolve();
        }
        this.advance(to);
        return this.#parts.intervalMillis === 0 ? this.#writeNow() : Promise.resolve();
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
      throw new CheckpointRefusedError(
        `checkpoint refused: ${shown(asked)} is no position; pass a record, or a decimal sequenceNumber and a subSequenceNumber >= 0`,
      );
    }
    if (compareCheckpoints(asked, delivered) > 0) {
      throw new CheckpointRefusedError(
        `checkpoint refused: ${shown(asked)} is beyond the last delivered record ${shown(delivered)}`,
      );
    }
    if (compareCheckpoints(asked, this.#progress) < 0) {
      throw new CheckpointRefusedError(
        `checkpoint refused: ${shown(asked)} is before the last checkpoint ${shown(this.#progress)}; checkpoints only go forward`,
      );
    }
    return asked;
  }

  #writeNow(): Promise<void> {
    this.#demanded = this.#progress;
    this.#startWriting();
    return this.whenWritten();
  }

  /**
   * The check for work is needed: with nothing to write, `#write` would end before `#writing` is set, and
   * nothing would ever be written again.
   */
  #startWriting(): void {
    const hasWork = compareCheckpoints(this.#progress, this.#written) > 0;
    if (hasWork && this.#mayWrite) this.#writing ??= this.#write();
  }

  get #mayWrite(): boolean {
    if (this.#closing.signal.aborted) return false;
    if (!this.#resting.signal.aborted) return true;
    return this.#demanded !== undefined && compareCheckpoints(this.#demanded, this.#written) > 0;
  }

  async #write(): Promise<void> {
    const { held, clock, random, reports, intervalMillis, onLost } = this.#parts;
    let failures = 0;
    while (compareCheckpoints(this.#progress, this.#written) > 0) {
      const waitMillis =
        failures > 0
          ? backoffMillis(failures, random, 100)
          : this.#lastWriteAtMillis + intervalMillis - clock.monotonicMillis();
      const isDemanded = this.#demanded !== undefined;
      if (waitMillis > 0)
        await clock.sleep(waitMillis, isDemanded ? this.#closing.signal : this.#resting.signal);
      if (!this.#mayWrite) break;
      const target = this.#progress;
      this.#lastWriteAtMillis = clock.monotonicMillis();
      try {
        if ((await held.checkpoint(target)) === "lost") {
          this.#resting.abort();
          this.#closing.abort();
          onLost();
          break;
        }
        this.#written = target;
        if (failures > 0) reports.recovered("checkpoint", held.leaseKey);
        failures = 0;
      } catch (error) {
        failures += 1;
        reports.failed("checkpoint", errorClassIn(error), error, held.leaseKey);
      }
    }
    if (failures > 0) reports.forget("checkpoint", held.leaseKey);
    this.#writing = undefined;
  }
}

const shown = (checkpoint: Checkpoint): string =>
  checkpoint.subSequenceNumber === 0
    ? checkpoint.sequenceNumber
    : `${checkpoint.sequenceNumber}/${checkpoint.subSequenceNumber}`;
