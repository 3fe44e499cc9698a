/**
 * L4: every record is handled, and the first deliveries of each key are in order. A record is handled twice
 * only if a worker that had handled it had a fault, and then only from a checkpoint on; or if the handler
 * never said that it was done. A record that the error policy gave up need not be handled. A record that
 * halted its shard is not lost: the lease's checkpoint is before it.
 */
import { compareCheckpoints, isSentinel, type Lease } from "../../../src/core/lease.ts";
import { longestFailover } from "../faults/unequal.ts";
import { Beginning } from "../world/beginning.ts";
import type { SimEvent } from "../world/history.ts";
import { Allowances } from "./allowances.ts";
import { Outages, Tampered } from "./disturbances.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";
import { isJava, WorkerFaults } from "./worker-faults.ts";

type Put = Extract<SimEvent, { type: "put" }>;
type Handled = Extract<SimEvent, { type: "handled" }>;

export function checkRecords(evidence: Evidence): Verdict {
  const { events, swarm, unsettled } = evidence;
  const allowances = new Allowances(swarm);
  const numbers = new Map<string, string>();
  const parents = new Map<string, readonly string[]>();
  let halted: ReadonlyMap<string, string> = new Map();
  const workerFaults = new WorkerFaults(events);
  const tampered = new Tampered(events);
  const outages = new Outages(events);
  const window = 3 * longestFailover(swarm) + 10_000;
  /** Stops whose budget was spent in an outage: their leases were released at the last written checkpoint. */
  const stoppedShort = new Set<string>();
  const puts = new Map<string, Put>();
  /** The newest delivery of each record. */
  const delivered = new Map<string, Handled>();
  const newest = new Map<string, { n: number; event: Handled }>();
  const trimmed = new Set<string>();
  const beginning = new Beginning(swarm);
  /** `worker/lease` → the row with which the worker got the lease. */
  const got = new Map<string, { row: Lease; event: SimEvent }>();
  const owners = new Map<string, string | undefined>();
  /** When each lease was last stolen, by a Java worker or from one: without a drain. */
  const stolenAt = new Map<string, number>();
  const up = new Set<string>();
  let settled = false;
  let entriesRemovedAt = Number.NEGATIVE_INFINITY;
  const leaving = new Set<string>();
  const beginsLate = swarm.initialPosition !== "TRIM_HORIZON";

  for (const event of events) {
    allowances.add(event);
    beginning.add(event);
    if (event.type === "phase" && event.name === "settled") {
      settled = true;
      halted = new Map(allowances.halted);
    }
    if (event.type === "shard" && event.action === "opened") parents.set(event.shardId, event.parents);
    if (!settled && event.type === "write") owners.set(event.leaseKey, event.after?.owner);
    if (
      !settled &&
      event.type === "tampered" &&
      event.leaseKey !== undefined &&
      event.what.startsWith("owner")
    )
      owners.set(event.leaseKey, event.about);
    if (event.type === "worker" && event.action === "stopped" && event.detail !== "")
      if (outages.between(event.t - swarm.stopBudgetMillis, event.t)) stoppedShort.add(event.worker);
    if (!settled && event.type === "worker") {
      if (event.action === "joined") up.add(event.worker);
      else up.delete(event.worker);
    }
    if (!settled && event.type === "trouble" && event.kind === "crash") up.delete(event.worker);
    if (event.type === "put") {
      puts.set(event.sequenceNumber, event);
      numbers.set(`${event.key}#${event.n}`, event.sequenceNumber);
    }
    if (event.type === "tampered" && event.leaseKey === undefined) entriesRemovedAt = event.t;
    if (event.type === "member" && event.member?.state === "leaving") leaving.add(event.about);
    if (event.type === "shard" && event.action === "trimmed") trimmed.add(event.shardId);
    if (event.type === "write" && event.after !== undefined) {
      const { owner } = event.after;
      if (event.operation === "claim" && (isJava(owner) || isJava(event.before?.owner)))
        stolenAt.set(event.leaseKey, event.t);
      const taken = event.operation === "claim" || owner !== event.before?.owner;
      if (owner !== undefined && taken) got.set(`${owner}/${event.leaseKey}`, { row: event.after, event });
    }
    if (event.type !== "handled") continue;
    const start = got.get(`${event.worker}/${event.shardId}`);
    for (const sequenceNumber of event.sequenceNumbers) {
      const put = puts.get(sequenceNumber);
      if (put === undefined || put.shardId !== event.shardId)
        return invalid(`L4: handled ${sequenceNumber}, which was never put there`, event);
      if (beginning.isTooEarly(put.t))
        return invalid("L4: handled a record from before the application began", put, event);
      const earlier = delivered.get(sequenceNumber);
      delivered.set(sequenceNumber, event);
      if (earlier !== undefined) {
        const untold = swarm.checkpointMode === "manual" && !allowances.covers(put.shardId, sequenceNumber);
        // The old owner continued until it noticed the theft.
        const stolen = (stolenAt.get(put.shardId) ?? -Infinity) >= earlier.t - longestFailover(swarm) - 5_000;
        const excuse =
          workerFaults.between(earlier.worker, earlier.t - window, event.t) ??
          workerFaults.between(event.worker, earlier.t - window, event.t);
        // A worker that finds its entry gone after an outage cannot tell whether it was marked dead
        // meanwhile. An entry that is removed while its worker leaves cannot be told from one that has left
        // either.
        const entryGone =
          entriesRemovedAt >= earlier.t - window &&
          (outages.between(entriesRemovedAt - window, event.t) || leaving.has(earlier.worker));
        const byHand =
          entryGone ||
          tampered.between(put.shardId, earlier.t - window, event.t) ||
          stoppedShort.has(earlier.worker);
        // A checkpoint cannot pass a record that still failed when the lease was handed over.
        const isHeldUp = () =>
          start !== undefined && isBehindUnfinished(put, start, [...puts.values()], delivered);
        if (excuse === undefined && !untold && !stolen && !byHand && !isHeldUp())
          return invalid(
            `L4: ${put.key}#${put.n} was handled twice although nothing had gone wrong`,
            earlier,
            start?.event,
            event,
          );
        // A worker that read the shard before its row was edited continues from its own position until it
        // notices the edit.
        const from = byHand ? undefined : start?.row.checkpoint;
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
      const before = newest.get(put.key);
      let expected = before === undefined ? (beginsLate || trimmed.size > 0 ? put.n : 1) : before.n + 1;
      while (expected < put.n && allowances.gaveUp(numbers.get(`${put.key}#${expected}`) ?? ""))
        expected += 1;
      // It was given up, and given to a handler again after a crash: no order is due.
      if (put.n < expected && allowances.gaveUp(sequenceNumber)) continue;
      const skips = beginsLate || trimmed.size > 0;
      if (beginning.resumesAtTip(put.shardId) && before !== undefined && put.n < before.n) continue;
      if (skips ? before !== undefined && put.n < before.n : put.n !== expected)
        return invalid(
          `L4: ${put.key}#${put.n} was handled first when #${expected} was due`,
          before?.event,
          event,
        );
      newest.set(put.key, { n: put.n, event });
    }
  }
  if (unsettled !== undefined) return VALID; // L5 has reported it; missing records may be in flight.
  for (const put of puts.values()) {
    if (delivered.has(put.sequenceNumber) || trimmed.has(put.shardId)) continue;
    if (allowances.gaveUp(put.sequenceNumber)) continue;
    if (!beginning.isDue(put.shardId, put.t)) continue;
    // Shards that the caps leave unowned are not read. `unsettled` has checked that the caps had no room
    // left.
    const owner = owners.get(put.shardId);
    if (swarm.cap.kind !== "none" && !(owner !== undefined && up.has(owner))) continue;
    if (swarm.remedy === "none" && isHeldUp(put.shardId, halted, parents) && !isPassed(put, evidence))
      continue;
    return invalid(`L4: ${put.key}#${put.n} was never handled`, put);
  }
  return VALID;
}

/**
 * Whether a record between the checkpoint with which the lease was got and this record was unfinished at that
 * time.
 */
function isBehindUnfinished(
  { shardId, sequenceNumber }: Put,
  { row, event }: { readonly row: Lease; readonly event: SimEvent },
  puts: readonly Put[],
  delivered: ReadonlyMap<string, Handled>,
): boolean {
  const at = (number: string) => ({ sequenceNumber: number, subSequenceNumber: 0 });
  return puts.some((other) => {
    if (other.shardId !== shardId) return false;
    if (compareCheckpoints(at(other.sequenceNumber), at(sequenceNumber)) >= 0) return false;
    if (!isSentinel(row.checkpoint) && compareCheckpoints(at(other.sequenceNumber), row.checkpoint) <= 0)
      return false;
    return (delivered.get(other.sequenceNumber)?.t ?? Number.POSITIVE_INFINITY) > event.t;
  });
}

/** The shard is halted, or waits for a halted one. */
export function isHeldUp(
  shardId: string,
  halted: ReadonlyMap<string, string>,
  parents: ReadonlyMap<string, readonly string[]>,
): boolean {
  if (halted.has(shardId)) return true;
  return (parents.get(shardId) ?? []).some((parent) => isHeldUp(parent, halted, parents));
}

/** Whether the next owner of the lease would no longer read the record. */
function isPassed({ shardId, sequenceNumber }: Put, { finalLeases }: Evidence): boolean {
  const row = finalLeases.find(({ leaseKey }) => leaseKey === shardId);
  if (row === undefined) return false;
  return compareCheckpoints({ sequenceNumber, subSequenceNumber: 0 }, row.checkpoint) <= 0;
}
