/**
 * L2: a checkpoint never moves back, and never passes a record that no handler has finished (unless the
 * user's policy gave it up). Reading begins right after the checkpoint. SHARD_END is written only when every
 * record of the shard has been handled. With manual checkpoints, no checkpoint is written that the handler
 * did not ask for.
 */
import { compareCheckpoints, isSentinel, LATEST, type Lease, SHARD_END } from "../../../src/core/lease.ts";
import type { SimEvent } from "../world/history.ts";
import { Allowances } from "./allowances.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";
import { idOf, isJava } from "./worker-faults.ts";

interface ShardState {
  readonly puts: Extract<SimEvent, { type: "put" }>[];
  /** How many of `puts`, from the first on, have been handled. */
  handledUpTo: number;
}

export function checkCheckpoints({ events, swarm }: Evidence): Verdict {
  const shards = new Map<string, ShardState>();
  const handled = new Set<string>();
  const last = new Map<string, SimEvent>();
  const rows = new Map<string, Lease>();
  const openedAt = new Map<string, number>();
  const allowances = new Allowances(swarm);
  const beginsLate = swarm.initialPosition !== "TRIM_HORIZON";
  let firstCreated: number | undefined;
  const stateOf = (shardId: string): ShardState => {
    let state = shards.get(shardId);
    if (state === undefined) {
      state = { puts: [], handledUpTo: 0 };
      shards.set(shardId, state);
    }
    return state;
  };

  for (const event of events) {
    allowances.add(event);
    if (event.type === "put") stateOf(event.shardId).puts.push(event);
    if (event.type === "shard" && event.action === "opened") openedAt.set(event.shardId, event.t);
    if (event.type === "handled") for (const number of event.sequenceNumbers) handled.add(number);
    const names = event.type === "iterator" ? event.position.kind : undefined;
    if (event.type === "iterator" && (names === "trim-horizon" || names === "at-timestamp")) {
      // Kinesis has refused no sequence number here: nothing is trimmed while the fleet is up. A worker that
      // was blocked while its lease was taken begins at the position that it knew.
      const row = rows.get(event.shardId);
      // A worker that has lost the lease and not noticed it does not know checkpoints that were written
      // since.
      const isOwn = row?.owner === idOf(event.worker) && !isJava(event.worker);
      if (row !== undefined && isOwn && !isSentinel(row.checkpoint))
        return invalid(
          "L2: reading went back to a time although no number was refused",
          last.get(event.shardId),
          event,
        );
    }
    if (event.type === "tampered" && event.leaseKey !== undefined) rows.delete(event.leaseKey);
    if (event.type !== "write") continue;
    if (event.after === undefined) {
      rows.delete(event.leaseKey);
      continue;
    }
    rows.set(event.leaseKey, event.after);
    const { before, after, leaseKey } = event;
    if (event.operation === "create") firstCreated ??= event.t;
    if (event.operation === "create" && after.checkpoint.sequenceNumber === LATEST) {
      if (firstCreated !== undefined && (openedAt.get(leaseKey) ?? 0) > firstCreated)
        return invalid("L2: a shard that was opened while the fleet was up starts at LATEST", event);
    }
    if (before !== undefined && compareCheckpoints(after.checkpoint, before.checkpoint) < 0)
      return invalid("L2: the checkpoint moved back", last.get(leaseKey), event);
    last.set(leaseKey, event);
    if (beginsLate && (event.operation === "create" || !shards.has(leaseKey))) continue;
    const moved = before !== undefined && compareCheckpoints(after.checkpoint, before.checkpoint) > 0;
    if (!moved || (isSentinel(after.checkpoint) && after.checkpoint.sequenceNumber !== SHARD_END)) continue;
    const { sequenceNumber } = after.checkpoint;
    const asked = isSentinel(after.checkpoint) || allowances.mayCover(leaseKey, sequenceNumber);
    if (swarm.checkpointMode === "manual" && !asked)
      return invalid("L2: a checkpoint that the handler had not asked for", event);
    const state = stateOf(leaseKey);
    if (beginsLate) continue; // Records before the first read need not be handled.
    while (state.handledUpTo < state.puts.length) {
      const put = state.puts[state.handledUpTo]!;
      const passed =
        compareCheckpoints({ sequenceNumber: put.sequenceNumber, subSequenceNumber: 0 }, after.checkpoint) <=
        0;
      if (!passed) break;
      if (!handled.has(put.sequenceNumber) && !allowances.gaveUp(put.sequenceNumber))
        return invalid("L2: the checkpoint passed a record that was not handled", put, event);
      state.handledUpTo += 1;
    }
  }
  return VALID;
}
