/**
 * L4: every record is handled; per key, first deliveries come in order; a record is handled twice only when a worker
 * that had handled it was in trouble, and then from a checkpoint on.
 */
import { compareCheckpoints, isSentinel, type Lease } from "../../../services/consumer/core/lease.ts";
import type { SimEvent } from "../world/history.ts";
import { Troubles } from "./troubles.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";

type Put = Extract<SimEvent, { type: "put" }>;
type Handled = Extract<SimEvent, { type: "handled" }>;

export function checkRecords({ events, swarm, unsettled }: Evidence): Verdict {
  const troubles = new Troubles(events);
  const window = 3 * swarm.failoverTimeMillis + 10_000;
  const puts = new Map<string, Put>();
  const first = new Map<string, Handled>();
  const newest = new Map<string, { n: number; event: Handled }>();
  const trimmed = new Set<string>();
  const startedAt = new Map<string, string>();
  /** `worker/lease` → the row with which the worker got it. */
  const got = new Map<string, { row: Lease; event: SimEvent }>();
  const owners = new Map<string, string | undefined>();
  const up = new Set<string>();
  let settled = false;
  const latest = swarm.initialPosition === "LATEST";

  for (const event of events) {
    if (event.type === "phase" && event.name === "settled") settled = true;
    if (!settled && event.type === "write") owners.set(event.leaseKey, event.after?.owner);
    if (!settled && event.type === "worker") {
      if (event.action === "joined") up.add(event.worker);
      else up.delete(event.worker);
    }
    if (!settled && event.type === "trouble" && event.kind === "crash") up.delete(event.worker);
    if (event.type === "put") puts.set(event.sequenceNumber, event);
    if (event.type === "shard" && event.action === "trimmed") trimmed.add(event.shardId);
    if (event.type === "write" && event.after !== undefined) {
      if (event.operation === "create") startedAt.set(event.leaseKey, event.after.checkpoint.sequenceNumber);
      const { owner } = event.after;
      const taken = event.operation === "claim" || owner !== event.before?.owner;
      if (owner !== undefined && taken) got.set(`${owner}/${event.leaseKey}`, { row: event.after, event });
    }
    if (event.type !== "handled") continue;
    const start = got.get(`${event.worker}/${event.shardId}`);
    for (const sequenceNumber of event.sequenceNumbers) {
      const put = puts.get(sequenceNumber);
      if (put === undefined || put.shardId !== event.shardId)
        return invalid(`L4: handled ${sequenceNumber}, which was never put there`, event);
      const earlier = first.get(sequenceNumber);
      if (earlier !== undefined) {
        const excuse =
          troubles.between(earlier.worker, earlier.t - window, event.t) ??
          troubles.between(event.worker, earlier.t - window, event.t);
        if (excuse === undefined)
          return invalid(
            `L4: ${put.key}#${put.n} was handled twice although nothing had gone wrong`,
            earlier,
            start?.event,
            event,
          );
        const from = start?.row.checkpoint;
        if (
          from &&
          !isSentinel(from) &&
          compareCheckpoints({ sequenceNumber, subSequenceNumber: 0 }, from) <= 0
        )
          return invalid(
            `L4: ${put.key}#${put.n} was handled again although the checkpoint was past it`,
            earlier,
            start?.event,
            event,
          );
        continue;
      }
      first.set(sequenceNumber, event);
      const before = newest.get(put.key);
      const expected = before === undefined ? (latest || trimmed.size > 0 ? put.n : 1) : before.n + 1;
      const skips = latest || trimmed.size > 0;
      // A lease that never got past LATEST begins at the tip again when it is claimed from a dead worker, and that
      // worker's last batch may still come after: the documented limit of LATEST, not an order to judge.
      const resumedAtTip = latest && startedAt.get(put.shardId) === "LATEST";
      if (resumedAtTip && before !== undefined && put.n < before.n) continue;
      if (skips ? before !== undefined && put.n < before.n : put.n !== expected)
        return invalid(
          `L4: ${put.key}#${put.n} was handled first when #${expected} was due`,
          before?.event,
          event,
        );
      newest.set(put.key, { n: put.n, event });
    }
  }
  if (unsettled !== undefined) return VALID; // L5 has said so; what is missing may be on its way.
  for (const put of puts.values()) {
    if (first.has(put.sequenceNumber) || trimmed.has(put.shardId)) continue;
    const start = startedAt.get(put.shardId);
    if (latest && (start === undefined || start === "LATEST")) continue;
    // Shards that the caps leave unowned are not read; that the caps had no room left, `unsettled` has seen.
    const owner = owners.get(put.shardId);
    if (swarm.cap.kind !== "none" && !(owner !== undefined && up.has(owner))) continue;
    return invalid(`L4: ${put.key}#${put.n} was never handled`, put);
  }
  return VALID;
}
