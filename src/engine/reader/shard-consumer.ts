/**
 * The interface between a shard task (which lease, and its next owner) and the reading of one shard. The task
 * starts a shard consumer for a lease it holds, asks it to drain for a planned move, or stops it when the
 * lease is lost. The consumer reads, calls the handler, writes checkpoints under the lease's fence, and
 * reports how it ended.
 */
import type { Checkpoint, Lease } from "../../core/lease.ts";
import type { Shard } from "../../ports/stream.ts";
import type { LastError } from "../error-reports.ts";
import type { ShardError } from "./reader-report.ts";
import type { Activity } from "./shard-activity.ts";

/**
 * A lease this worker holds. All writes of the lease go through here, one after another, under its fence.
 * `StoreUnavailableError` is passed to the caller, which retries with backoff. After `lost`, every later write is
 * `lost` too.
 */
export interface HeldLease {
  readonly leaseKey: string;
  /** The row after the newest successful write. */
  readonly lease: Lease;
  /**
   * The lease was taken from an owner that was gone: the next records may have blocked its event loop, or
   * killed it.
   */
  readonly isFromGoneOwner?: boolean;
  checkpoint(checkpoint: Checkpoint): Promise<"ok" | "lost">;
}

export type ShardOutcome =
  /**
   * The shard is read and processed to its end, and the `shardEnded` hook is done. `children` undefined: the
   * endpoint did not name them. Nothing is written yet: the shard task creates the children and writes
   * SHARD_END.
   */
  | {
      readonly kind: "ended";
      readonly children: readonly Shard[] | undefined;
      readonly checkpoint: Checkpoint;
    }
  /**
   * Reading ended with an unexpected error, and the pause after it is over. The lease is kept, and the shard
   * is read again from `checkpoint`, which is not written yet.
   */
  | { readonly kind: "failed"; readonly checkpoint: Checkpoint }
  /**
   * After `drain()`: the handler has no records any more, and everything up to `checkpoint` is done (the
   * lease's own checkpoint if nothing was processed). Not written yet: the hand-over writes it together with
   * the new owner.
   */
  | { readonly kind: "drained"; readonly checkpoint: Checkpoint }
  /** After `stop()` or a failed fence. */
  | { readonly kind: "lost" };

export interface ShardConsumer {
  /** Resolves once; never rejects. */
  readonly finished: Promise<ShardOutcome>;
  /**
   * For a planned move: reads no further batches, but finishes the one in flight. If the last read is more
   * than 200 ms old, makes one final read, so that the new owner starts with no backlog. Then resolves
   * `finished`. A consumer that is halted or waits to retry drains at once, with the checkpoint it has
   * reached.
   */
  drain(): void;
  /** Makes a consumer try at once if it is halted or waits to retry. False: it does neither. */
  resume(): boolean;
  /** The lease is lost: aborts the handler's signal, drops what is buffered, and writes nothing more. */
  stop(): void;
  status(): ShardStatus;
}

/** What a worker knows about one shard it reads. All times: wall clock, epoch milliseconds. */
export interface ShardStatus {
  /** finished: reading is over, and the lease is about to be handed over, released or ended. */
  readonly state: "reading" | "draining" | "halted" | "finished";
  /** What the shard is doing, and since when. */
  readonly activity: Activity;
  /** Everything up to here is processed (manual: checkpointed); it may not be written yet. */
  readonly checkpoint: Checkpoint;
  /** Grows with the clock while the shard is not read. */
  readonly millisBehindLatest: number | undefined;
  /** Wall clock of the last read that Kinesis answered; undefined: there was none. */
  readonly lastReadMillis: number | undefined;
  /** The newest failure of reading, which may have passed. */
  readonly lastReadError: LastError | undefined;
  readonly bufferedBytes: number;
  /** Why the shard is halted, while it is. */
  readonly error: string | undefined;
  /** The newest failure of the handler, which may have passed. */
  readonly lastError: ShardError | undefined;
}
