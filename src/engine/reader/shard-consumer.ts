/**
 * The seam between the coordinator (which leases do I hold, who gets them next) and the reading of one shard.
 * The coordinator starts a shard consumer for a lease it holds, asks it to drain for a planned move, or stops it
 * when the lease is lost; the shard consumer reads, calls the handler, writes checkpoints under the lease's fence
 * and says how it ended.
 */
import type { Checkpoint, Lease } from "../../core/lease.ts";
import type { Shard } from "../../ports/stream.ts";
import type { LastError } from "../error-reports.ts";
import type { ShardError } from "./reader-report.ts";
import type { Activity } from "./shard-activity.ts";

/**
 * A lease this worker holds. All writes of one lease go through here, one after another, under its fence.
 * `StoreUnavailable` passes through to the caller (retry with backoff); after `lost` every later write is `lost` too.
 */
export interface HeldLease {
  readonly leaseKey: string;
  /** The row after the newest write that succeeded. */
  readonly lease: Lease;
  /** It was taken from an owner that was gone: what is to come may have blocked that one's event loop, or killed it. */
  readonly isFromGoneOwner?: boolean;
  checkpoint(checkpoint: Checkpoint): Promise<"ok" | "lost">;
}

export type ShardOutcome =
  /** Read and processed to the end of the shard; `children` undefined: the endpoint did not say. The `shardEnded` hook is done. Nothing was written yet: creating children and SHARD_END are the coordinator's. */
  | {
      readonly kind: "ended";
      readonly children: readonly Shard[] | undefined;
      readonly checkpoint: Checkpoint;
    }
  /** An error that should not exist ended the reading, and the pause after it is over: the lease is kept, and read again from `checkpoint` on, which is not yet written. */
  | { readonly kind: "failed"; readonly checkpoint: Checkpoint }
  /** After `drain()`: nothing is in the handler's hands any more; everything up to `checkpoint` (the lease's own when nothing was processed) is done. Not yet written: the hand-over writes it with the new owner in one write. */
  | { readonly kind: "drained"; readonly checkpoint: Checkpoint }
  /** After `stop()` or a failed fence. */
  | { readonly kind: "lost" };

export interface ShardConsumer {
  /** Resolves once; never rejects. */
  readonly finished: Promise<ShardOutcome>;
  /**
   * Planned move: read no further batches, but finish the one in hand (and, when the last read is more than 200 ms
   * old, make one last read, so that the new owner starts with nothing behind it), then resolve `finished`.
   * A consumer that is halted, or waits for a next try, drains at once with the checkpoint it reached.
   */
  drain(): void;
  /** A consumer that is halted, or waits for a next try, tries at once. False: it does neither. */
  resume(): boolean;
  /** The lease is lost: abort the handler's signal, drop what is buffered, write nothing more. */
  stop(): void;
  status(): ShardStatus;
}

/** What a worker knows about one shard it reads. All times: wall clock, epoch milliseconds. */
export interface ShardStatus {
  /** finished: the reading is over, and the lease is about to be given away or ended. */
  readonly state: "reading" | "draining" | "halted" | "finished";
  /** What the shard is doing, and since when. */
  readonly activity: Activity;
  /** Everything up to here is processed (manual: checkpointed); it may not be written yet. */
  readonly checkpoint: Checkpoint;
  /** Grows with the clock while the shard is not read. */
  readonly millisBehindLatest: number | undefined;
  /** Wall clock, of the last read that Kinesis answered; undefined: there was none. */
  readonly lastReadMillis: number | undefined;
  /** The newest failure of reading, which may have passed. */
  readonly lastReadError: LastError | undefined;
  readonly bufferedBytes: number;
  /** While it is halted: why. */
  readonly error: string | undefined;
  /** The newest failure of the handler, which may have passed. */
  readonly lastError: ShardError | undefined;
}
