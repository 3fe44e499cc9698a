/**
 * The lease table itself: rows and conditional writes. Each write happens at one instant, with exactly the
 * conditions of `src/ports/lease-store.ts`. Latency, faults and cost belong to the store
 * (memory-lease-store.ts). If a condition fails only because the very same write had already succeeded, the
 * result is `ok`; the adapter detects this from the old item.
 */
import {
  actualOwner,
  beginsAtATime,
  type Checkpoint,
  isEnded,
  type Lease,
  SHARD_END,
  sentinel,
} from "../../../src/core/lease.ts";
import {
  type Assignment,
  type FleetRow,
  type FleetSize,
  MEMBERS_PER_ROW,
  type Member,
} from "../../../src/core/member.ts";
import type { HeartbeatOutcome, LeaseListing, WriteOutcome } from "../../../src/ports/lease-store.ts";
import { ApplicationRow } from "./application-row.ts";
import type { Happening, LeaseOperation } from "./history.ts";
import { textHash } from "./prng.ts";
import { VersionedRows } from "./versioned-rows.ts";

export { freshLease, movesBack } from "./fresh-lease.ts";

const sameCheckpoint = (a: Checkpoint, b: Checkpoint): boolean =>
  a.sequenceNumber === b.sequenceNumber && a.subSequenceNumber === b.subSequenceNumber;

export class LeaseTable {
  readonly #leases: VersionedRows<string, Lease>;
  readonly #fleetRows: VersionedRows<number, FleetRow>;
  readonly #record: (happening: Happening) => void;
  readonly application: ApplicationRow;
  /** Rows whose counter was overwritten by hand and is no number: no condition on it holds. */
  readonly #garbled = new Set<string>();

  constructor(record: (happening: Happening) => void = () => undefined, now: () => number = () => 0) {
    this.#leases = new VersionedRows(now);
    this.#fleetRows = new VersionedRows(now);
    this.#record = record;
    this.application = new ApplicationRow(record);
  }

  lease(leaseKey: string): Lease | undefined {
    return this.#leases.get(leaseKey);
  }

  leases(): Lease[] {
    return this.#leases.values();
  }

  fleetRows(): FleetRow[] {
    return this.#fleetRows.values();
  }

  /**
   * One part of a scan: the rows whose key falls into `segment` of `segments`. A scan is no snapshot: a store
   * reads the parts one after another. `asOf`: the time as of which a row is read, drawn for each row.
   */
  list(segment: number, segments: number, asOf?: () => number): LeaseListing {
    const rows = this.#leases.values(asOf).filter((lease) => textHash(lease.leaseKey) % segments === segment);
    const leases = rows.filter(({ leaseKey }) => !this.#garbled.has(leaseKey));
    const corrupt = rows
      .filter(({ leaseKey }) => this.#garbled.has(leaseKey))
      .map(({ leaseKey }) => ({ leaseKey, problem: "leaseCounter is no number" }));
    const fleetRows = segment === 0 ? this.#fleetRows.values(asOf) : [];
    return { leases, corrupt, fleetRows: fleetRows, hasApplication: this.application.row !== undefined };
  }

  fleetRow(fleetRow: number, asOf?: number): FleetRow | undefined {
    return this.#fleetRows.get(fleetRow, asOf);
  }

  /** Writes a row as it is, outside the protocol: a run's initial state, or the write of an intruder. */
  put(lease: Lease): void {
    this.#leases.set(lease.leaseKey, lease);
  }

  deleteByHand(leaseKey: string): void {
    this.#garbled.delete(leaseKey);
    this.#leases.set(leaseKey, undefined);
    this.#record({ type: "tampered", what: "deleted", leaseKey, about: undefined });
  }

  garbleByHand(leaseKey: string): void {
    this.#garbled.add(leaseKey);
    this.#record({ type: "tampered", what: "garbled", leaseKey, about: undefined });
  }

  repairByHand(leaseKey: string): void {
    if (!this.#garbled.delete(leaseKey)) return;
    this.#record({ type: "tampered", what: "repaired", leaseKey, about: undefined });
  }

  isGarbled(leaseKey: string): boolean {
    return this.#garbled.has(leaseKey);
  }

  /** @param counts whether the editor also moved the counter, as evenkeel's own tools do */
  editOwnerByHand(lease: Lease, owner: string | undefined, counts: boolean): void {
    this.#leases.set(lease.leaseKey, { ...lease, owner, counter: lease.counter + (counts ? 1 : 0) });
    const what = `owner ${owner ?? "-"}`;
    this.#record({ type: "tampered", what, leaseKey: lease.leaseKey, about: owner });
  }

  /** @param edited undefined: the row is deleted */
  editFleetRowByHand(fleetRow: number, edited: FleetRow | undefined, what: string, about?: string): void {
    this.#fleetRows.set(fleetRow, edited);
    this.#record({ type: "tampered", what, leaseKey: undefined, about });
  }

  /** A checkpoint without a fence, which no store offers. For the mutant that the checkers must find. */
  overwriteCheckpoint(by: string, current: Lease, checkpoint: Checkpoint): Lease {
    return this.#write(by, "checkpoint", current, { ...current, checkpoint, counter: current.counter + 1 })
      .lease;
  }

  create(by: string, lease: Lease): "created" | "exists" {
    if (this.lease(lease.leaseKey)) return "exists";
    this.#write(by, "create", undefined, { ...lease, counter: 0 });
    return "created";
  }

  claim(by: string, seen: Lease, owner: string): WriteOutcome {
    const current = this.#readable(seen.leaseKey);
    if (current?.counter === seen.counter && current.owner === seen.owner) {
      const previous = actualOwner(current);
      const switched = previous !== undefined && previous !== owner;
      return this.#write(by, "claim", current, {
        ...current,
        owner,
        isPending: undefined,
        counter: current.counter + 1,
        checkpointOwner: undefined,
        ownerSwitchesSinceCheckpoint: current.ownerSwitchesSinceCheckpoint + (switched ? 1 : 0),
      });
    }
    return this.#refuse(by, "claim", seen, current, (row) => row.owner === owner);
  }

  renew(by: string, held: Lease): WriteOutcome {
    return this.#fenced(
      by,
      "renew",
      held,
      (row) => row,
      (row) => row.owner === held.owner,
    );
  }

  checkpoint(by: string, held: Lease, checkpoint: Checkpoint): WriteOutcome {
    return this.#fenced(
      by,
      "checkpoint",
      held,
      (row) => ({ ...row, checkpoint, ownerSwitchesSinceCheckpoint: 0 }),
      (row) => row.owner === held.owner && sameCheckpoint(row.checkpoint, checkpoint),
    );
  }

  handOver(by: string, held: Lease, to: string, checkpoint: Checkpoint): WriteOutcome {
    return this.#fenced(
      by,
      "handOver",
      held,
      (row) => ({
        ...row,
        owner: to,
        isPending: true,
        checkpoint,
        checkpointOwner: undefined,
        // The count is since the last checkpoint: a hand-over with a new checkpoint restarts it.
        ownerSwitchesSinceCheckpoint:
          1 + (sameCheckpoint(row.checkpoint, checkpoint) ? row.ownerSwitchesSinceCheckpoint : 0),
      }),
      (row) => row.owner === to && sameCheckpoint(row.checkpoint, checkpoint),
    );
  }

  release(by: string, held: Lease, checkpoint: Checkpoint): WriteOutcome {
    return this.#fenced(
      by,
      "release",
      held,
      (row) => ({
        ...row,
        owner: undefined,
        checkpoint,
        checkpointOwner: undefined,
        ownerSwitchesSinceCheckpoint: sameCheckpoint(row.checkpoint, checkpoint)
          ? row.ownerSwitchesSinceCheckpoint
          : 0,
      }),
      (row) => row.owner === undefined && sameCheckpoint(row.checkpoint, checkpoint),
    );
  }

  complete(by: string, held: Lease, childShardIds: readonly string[]): WriteOutcome {
    return this.#fenced(
      by,
      "complete",
      held,
      (row) => ({
        ...row,
        owner: undefined,
        checkpoint: sentinel(SHARD_END),
        childShardIds: childShardIds.length > 0 ? childShardIds.toSorted() : row.childShardIds,
        checkpointOwner: undefined,
        ownerSwitchesSinceCheckpoint: 0,
      }),
      (row) => row.owner === undefined && isEnded(row),
    );
  }

  remove(by: string, seen: Lease): "removed" | "changed" {
    const current = this.lease(seen.leaseKey);
    if (current === undefined) return "removed";
    if (current.counter !== seen.counter || this.isGarbled(seen.leaseKey)) return "changed";
    this.#write(by, "remove", current, undefined);
    return "removed";
  }

  join(by: string, fleetRow: number, member: Member): { kind: "ok"; fleetRow: FleetRow } | { kind: "full" } {
    const current = this.fleetRow(fleetRow);
    const others = (current?.members ?? []).filter((entry) => entry.workerId !== member.workerId);
    if (others.length >= MEMBERS_PER_ROW) return { kind: "full" };
    const next = this.#setFleetRow(fleetRow, current, [...others, member], fleetRow === 0);
    this.#record({ type: "member", worker: by, operation: "join", about: member.workerId, member });
    return { kind: "ok", fleetRow: next };
  }

  sendHeartbeat(by: string, fleetRow: number, member: Member, bump: boolean): HeartbeatOutcome {
    const current = this.fleetRow(fleetRow);
    const entry = current?.members.find((candidate) => candidate.workerId === member.workerId);
    const isOthers = entry?.incarnation !== member.incarnation || entry.state === "dead";
    if (isOthers || entry.heartbeat > member.heartbeat) return { kind: "fencedOut", entry };
    const members = current!.members.map((other) => (other === entry ? member : other));
    const next = this.#setFleetRow(fleetRow, current, members, bump && fleetRow === 0);
    this.#record({ type: "member", worker: by, operation: "sendHeartbeat", about: member.workerId, member });
    return { kind: "ok", fleetRow: next };
  }

  markDead(by: string, fleetRow: number, seen: Member): "declared" | "changed" {
    const current = this.fleetRow(fleetRow);
    const entry = current?.members.find((candidate) => candidate.workerId === seen.workerId);
    if (entry?.incarnation !== seen.incarnation || entry.heartbeat !== seen.heartbeat) return "changed";
    const dead: Member = { ...entry, state: "dead" };
    this.#setFleetRow(
      fleetRow,
      current,
      current!.members.map((other) => (other === entry ? dead : other)),
      fleetRow === 0,
    );
    this.#record({
      type: "member",
      worker: by,
      operation: "markDead",
      about: seen.workerId,
      member: dead,
    });
    return "declared";
  }

  assign(
    fleetRow: number,
    assignments: readonly Assignment[],
    size: FleetSize | undefined,
  ): "assigned" | "gone" {
    const current = this.fleetRow(fleetRow);
    if (current === undefined) return "gone";
    const { assignments: _, size: __, ...rest } = current;
    this.#fleetRows.set(fleetRow, {
      ...rest,
      ...(assignments.length > 0 && { assignments }),
      ...(size && { size }),
    });
    return "assigned";
  }

  leave(by: string, fleetRow: number, member: Member): "left" | "changed" {
    const current = this.fleetRow(fleetRow);
    const entry = current?.members.find((candidate) => candidate.workerId === member.workerId);
    if (entry !== undefined && entry.incarnation !== member.incarnation) return "changed";
    if (entry !== undefined) {
      this.#setFleetRow(
        fleetRow,
        current,
        current!.members.filter((other) => other !== entry),
        fleetRow === 0,
      );
      this.#record({
        type: "member",
        worker: by,
        operation: "leave",
        about: member.workerId,
        member: undefined,
      });
    } else if (fleetRow === 0) this.bumpFleetVersion(by);
    // An entry that is gone may be the work of an earlier try whose answer was lost: the steps after it are
    // repeated as well.
    if (fleetRow > 0 && this.fleetRow(fleetRow)?.members.length === 0)
      this.#fleetRows.set(fleetRow, undefined);
    if (this.fleetRows().every((other) => other.members.length === 0)) this.#fleetRows.set(0, undefined);
    return "left";
  }

  bumpFleetVersion(by: string): void {
    const first = this.fleetRow(0);
    if (first === undefined) return;
    this.#setFleetRow(0, first, first.members, true);
    this.#record({ type: "member", worker: by, operation: "bump", about: "", member: undefined });
  }

  /** The resharder's write: requests that the leader lists the shards now. */
  requestShardSync(): void {
    const first = this.fleetRow(0);
    if (first === undefined) return;
    const asked = {
      ...first,
      version: first.version + 1,
      shardSyncRequests: first.shardSyncRequests + 1,
    };
    this.#fleetRows.set(0, asked);
  }

  #setFleetRow(
    fleetRow: number,
    current: FleetRow | undefined,
    members: readonly Member[],
    bump: boolean,
  ): FleetRow {
    const base = current ?? { number: fleetRow, version: 0, shardSyncRequests: 0, members: [] };
    const sorted = members.toSorted((a, b) => (a.workerId < b.workerId ? -1 : 1));
    const next = { ...base, members: sorted, version: base.version + (bump ? 1 : 0) };
    this.#fleetRows.set(fleetRow, next);
    return next;
  }

  /** The row as a conditional write finds it. */
  #readable(leaseKey: string): Lease | undefined {
    return this.isGarbled(leaseKey) ? undefined : this.lease(leaseKey);
  }

  #fenced(
    by: string,
    operation: LeaseOperation,
    held: Lease,
    change: (row: Lease) => Lease,
    isThisWrite: (row: Lease) => boolean,
  ): WriteOutcome {
    const current = this.#readable(held.leaseKey);
    const holds =
      current !== undefined &&
      current.owner === held.owner &&
      current.counter === held.counter &&
      (current.checkpointOwner === actualOwner(held) ||
        (current.checkpointOwner === undefined && held.checkpointOwner === undefined));
    if (holds) {
      const after = { ...change({ ...current, isPending: undefined }), counter: current.counter + 1 };
      const begun = beginsAtATime(after.checkpoint) ? after : { ...after, startMillis: undefined };
      return this.#write(by, operation, current, begun);
    }
    return this.#refuse(by, operation, held, current, isThisWrite);
  }

  #write(
    by: string,
    operation: LeaseOperation,
    before: Lease | undefined,
    after: Lease,
  ): { kind: "ok"; lease: Lease };
  #write(by: string, operation: LeaseOperation, before: Lease, after: undefined): undefined;
  #write(by: string, operation: LeaseOperation, before: Lease | undefined, after: Lease | undefined) {
    const leaseKey = (after ?? before)!.leaseKey;
    this.#leases.set(leaseKey, after);
    this.#record({ type: "write", worker: by, operation, leaseKey, before, after });
    return after && { kind: "ok", lease: after };
  }

  #refuse(
    by: string,
    operation: LeaseOperation,
    held: Lease,
    current: Lease | undefined,
    isThisWrite: (row: Lease) => boolean,
  ): WriteOutcome {
    if (current?.counter === held.counter + 1 && isThisWrite(current)) return { kind: "ok", lease: current };
    this.#record({ type: "refused", worker: by, operation, leaseKey: held.leaseKey });
    return { kind: "lost", current };
  }
}
