/**
 * Describes what a run did, as two short hashes that do not depend on names. An event is hashed as numbers,
 * ids and positions, and each kind of event and operation as a code. A rename edits the tables below, and the
 * hashes stay the same.
 *
 * - full: every event with its time. If equal, the engine did the same at the same virtual microsecond.
 * - outcome: the verdict, the final owners and checkpoints, and how often each record was handled. It stays
 *   the same when a change only reorders what happens within one instant.
 */
import { createHash } from "node:crypto";
import type { Lease } from "../../src/core/lease.ts";
import type {
  FaultKindOfWorker,
  LeaseOperation,
  MemberOperation,
  SimEvent,
  WorkerAction,
} from "./world/history.ts";

export interface Fingerprint {
  readonly full: string;
  readonly outcome: string;
}

const TYPES: Readonly<Record<SimEvent["type"], number>> = {
  put: 1,
  shard: 2,
  write: 3,
  refused: 4,
  member: 5,
  iterator: 6,
  read: 7,
  handled: 8,
  threw: 9,
  "too-late": 10,
  accepted: 11,
  "told-written": 12,
  "dead-letter": 13,
  halted: 14,
  trouble: 15,
  worker: 16,
  outage: 17,
  tampered: 18,
  log: 19,
  phase: 20,
  began: 21,
  scan: 22,
};

const LEASE_OPERATIONS: Readonly<Record<LeaseOperation, number>> = {
  create: 1,
  claim: 2,
  renew: 3,
  checkpoint: 4,
  handOver: 5,
  release: 6,
  complete: 7,
  remove: 8,
};

const MEMBER_OPERATIONS: Readonly<Record<MemberOperation, number>> = {
  join: 1,
  sendHeartbeat: 2,
  markDead: 3,
  leave: 4,
  bump: 5,
};

const TROUBLES: Readonly<Record<FaultKindOfWorker, number>> = {
  crash: 1,
  pause: 2,
  partition: 3,
  throttle: 4,
  "failed-call": 5,
  "lost-answer": 6,
  slow: 7,
  "hung-call": 8,
  "blocked-loop": 9,
  refused: 10,
  "duplicate-id": 11,
};

const ACTIONS: Readonly<Record<WorkerAction, number>> = {
  started: 1,
  joined: 2,
  stopping: 3,
  stopped: 4,
  failed: 5,
};

/** @param isOk every invariant held */
export function fingerprintOf(
  events: readonly SimEvent[],
  leases: readonly Lease[],
  isOk: boolean,
): Fingerprint {
  const full = createHash("sha256");
  const handled = new Map<string, number>();
  for (const event of events) {
    full.update(JSON.stringify([Math.round(event.t * 1_000), TYPES[event.type], ...factsOf(event)]));
    if (event.type === "handled")
      for (const number of event.sequenceNumbers) handled.set(number, (handled.get(number) ?? 0) + 1);
  }
  const rows = leases.map(rowOf).toSorted();
  const counts = [...handled].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { full: shortened(full), outcome: shortened(hashOf(JSON.stringify([isOk, rows, counts]))) };
}

function factsOf(event: SimEvent): readonly unknown[] {
  switch (event.type) {
    case "write": {
      const { worker, operation, leaseKey, after } = event;
      return [worker, LEASE_OPERATIONS[operation], leaseKey, after === undefined ? 0 : rowOf(after)];
    }
    case "refused":
      return [event.worker, LEASE_OPERATIONS[event.operation], event.leaseKey];
    case "member": {
      const { worker, operation, about, member } = event;
      return [worker, MEMBER_OPERATIONS[operation], about, member?.heartbeat, member?.maxLeases];
    }
    case "iterator":
      return [event.worker, event.shardId, numberIn(event.position)];
    case "read":
      return [event.worker, event.shardId, event.count, event.atEnd];
    case "handled":
    case "threw":
    case "too-late":
      return [event.worker, event.shardId, event.sequenceNumbers];
    case "accepted":
    case "told-written":
      return [event.worker, event.shardId, event.sequenceNumber];
    case "dead-letter":
      return [event.worker, event.sequenceNumber, event.taken];
    case "halted":
      return [event.worker, event.shardId];
    case "trouble":
      return [event.worker, TROUBLES[event.kind], event.until];
    case "worker":
      return [event.worker, ACTIONS[event.action]];
    case "put":
      return [event.shardId, event.sequenceNumber];
    case "shard":
      return [event.shardId, event.parents];
    case "outage":
      return [event.share, event.until];
    case "tampered":
      return [event.leaseKey, event.about];
    // Log texts are names.
    case "log":
      return [event.worker];
    case "began":
      return [event.startMillis];
    case "scan":
      return [event.worker, event.rows];
    case "phase":
      return [];
  }
}

const rowOf = ({ leaseKey, owner, counter, checkpoint }: Lease): string =>
  JSON.stringify([leaseKey, owner, counter, checkpoint.sequenceNumber, checkpoint.subSequenceNumber]);

const numberIn = (position: object): unknown =>
  "sequenceNumber" in position ? position.sequenceNumber : undefined;

const hashOf = (text: string) => createHash("sha256").update(text);
const shortened = (hash: ReturnType<typeof hashOf>): string => hash.digest("hex").slice(0, 12);
