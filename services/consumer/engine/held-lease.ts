/**
 * One lease this worker holds, and the only way to write its row.
 *
 * Owns: the newest row this worker wrote. Never does: decide anything.
 * H1: writes of one lease happen one after another, each fenced by the row the previous one left.
 * H2: after a failed fence, every later write is `lost` without asking the table.
 * H3: so it is after the write that gave the lease away: the row then carries the next owner's fence, not ours.
 */
import type { Checkpoint, Lease } from "../core/lease.ts";
import type { LeaseStore, WriteOutcome } from "../ports/lease-store.ts";
import type { HeldLease } from "./shard-consumer.ts";

export interface OwnedLease extends HeldLease {
  /** When a write last moved the counter (monotonic). */
  readonly movedMillis: number;
  renew(): Promise<"ok" | "lost">;
  handOver(to: string, checkpoint: Checkpoint): Promise<"ok" | "lost">;
  release(checkpoint: Checkpoint): Promise<"ok" | "lost">;
  complete(childShardIds: readonly string[]): Promise<"ok" | "lost">;
}

/** @param wrote called with the row after every write, and with what the table had instead after a failed fence. */
export function ownLease(
  store: LeaseStore,
  row: Lease,
  monotonicMillis: () => number,
  wrote: (row: Lease) => void,
): OwnedLease {
  let lease = row;
  let movedMillis = monotonicMillis();
  let fence: "holds" | "lost" = "holds";
  let queue: Promise<unknown> = Promise.resolve();

  /** @param last the write that gives the lease away: no fence of this worker's holds after it. */
  const write = (
    perform: (held: Lease) => Promise<WriteOutcome>,
    last: "last" | "more" = "more",
  ): Promise<"ok" | "lost"> => {
    const result = queue.then(async () => {
      if (fence === "lost") return "lost" as const;
      const outcome = await perform(lease);
      if (outcome.kind === "lost") {
        fence = "lost";
        if (outcome.current !== undefined) wrote(outcome.current);
        return "lost" as const;
      }
      lease = outcome.lease;
      movedMillis = monotonicMillis();
      wrote(lease);
      if (last === "last") fence = "lost";
      return "ok" as const;
    });
    // The next write goes ahead whether or not this one was answered; its caller hears about the failure.
    queue = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  };

  return {
    leaseKey: row.leaseKey,
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
