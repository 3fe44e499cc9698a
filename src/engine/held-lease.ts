/**
 * One lease that this worker holds, and the only way to write its row.
 *
 * Owns: the newest row this worker wrote. Never does: decide anything.
 *
 * H1: writes of one lease run one after another. Each is fenced by the row that the previous one left.
 * H2: after a failed fence, every later write returns `lost` without asking the table.
 * H3: the same holds after the lease's last write (hand-over, release or completion): after a hand-over the
 *     row carries the next owner's fence, not this worker's.
 * H4: a write without a response leaves the fence *in doubt*: it may have happened. Suppose the next write is
 *     refused by a row with the same owner and the next counter. Then that row is this worker's own earlier
 *     write: it becomes the new fence, and the write is made once more. The refusing row can be nothing else,
 *     because only the owner writes an owned row and each write increments the counter. An older write that
 *     is still in flight can no longer happen.
 */
import { actualOwner, type Checkpoint, compareCheckpoints, type Lease } from "../core/lease.ts";
import type { LeaseStore, WriteOutcome } from "../ports/lease-store.ts";
import type { HeldLease } from "./reader/shard-consumer.ts";

export interface OwnedLease extends HeldLease {
  /** When a write last moved the counter (monotonic). */
  readonly movedMillis: number;
  renew(): Promise<"ok" | "lost">;
  handOver(to: string, checkpoint: Checkpoint): Promise<"ok" | "lost">;
  release(checkpoint: Checkpoint): Promise<"ok" | "lost">;
  complete(childShardIds: readonly string[]): Promise<"ok" | "lost">;
}

type Fence = "holds" | "in-doubt" | "lost";

/**
 * @param wrote called with the row after every write; after a failed fence, with the row in the table
 *   (undefined: it is not known)
 * @param isFromGoneOwner the lease was taken from an owner that was gone, not handed over
 */
export function ownLease(
  store: LeaseStore,
  row: Lease,
  monotonicMillis: () => number,
  wrote: (row: Lease | undefined) => void,
  isFromGoneOwner = false,
): OwnedLease {
  let lease = row;
  let movedMillis = monotonicMillis();
  let fence: Fence = "holds";
  /** A hand-over, release or completion had no response. A row with another owner confirms it. */
  let mayBeGiven = false;
  let queue: Promise<unknown> = Promise.resolve();

  const moved = (written: Lease) => {
    lease = written;
    movedMillis = monotonicMillis();
    wrote(lease);
  };

  /** H4. The row is this worker's own earlier write: same owner, next counter. */
  const isOwnEarlierWrite = (current: Lease | undefined): current is Lease =>
    fence === "in-doubt" &&
    current !== undefined &&
    current.counter === lease.counter + 1 &&
    actualOwner(current) === actualOwner(lease);

  /** The last write without a response has happened, and the row has moved on since. */
  const wasGiven = (current: Lease | undefined): boolean =>
    mayBeGiven &&
    current !== undefined &&
    actualOwner(current) !== actualOwner(lease) &&
    compareCheckpoints(current.checkpoint, lease.checkpoint) >= 0;

  const attempt = async (
    perform: (held: Lease) => Promise<WriteOutcome>,
    isLast: boolean,
  ): Promise<"ok" | "lost"> => {
    if (fence === "lost") return "lost";
    let outcome: WriteOutcome;
    try {
      outcome = await perform(lease);
      if (outcome.kind === "lost" && isOwnEarlierWrite(outcome.current)) {
        moved(outcome.current);
        outcome = await perform(lease);
      }
    } catch (error) {
      fence = "in-doubt";
      mayBeGiven ||= isLast;
      throw error;
    }
    if (outcome.kind === "lost") {
      const given = isLast && wasGiven(outcome.current);
      fence = "lost";
      wrote(outcome.current);
      return given ? "ok" : "lost";
    }
    fence = isLast ? "lost" : "holds";
    moved(outcome.lease);
    return "ok";
  };

  const write = (
    perform: (held: Lease) => Promise<WriteOutcome>,
    last: "last" | "more" = "more",
  ): Promise<"ok" | "lost"> => {
    const result = queue.then(() => attempt(perform, last === "last"));
    // The next write proceeds whether or not this one succeeded. The caller gets the failure.
    queue = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  };

  return {
    leaseKey: row.leaseKey,
    isFromGoneOwner,
    get lease() {
      return lease;
    },
    get movedMillis() {
      return movedMillis;
    },
    renew: () => write((held) => store.renew(held)),
    checkpoint: (checkpoint) => write((held) => store.checkpoint(held, checkpoint)),
    handOver: (to, checkpoint) => write((held) => store.handOver(held, to, checkpoint), "last"),
    release: (checkpoint) => write((held) => store.release(held, checkpoint), "last"),
    complete: (childShardIds) => write((held) => store.complete(held, childShardIds), "last"),
  };
}
