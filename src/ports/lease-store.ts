/**
 * The lease table, as the engine needs it. Adapters: DynamoDB, and the memory store of the simulator, which
 * must keep the same conditions (`test/conformance` runs one suite on both).
 *
 * Every write increments `leaseCounter` by one and is conditional. A failed condition is an outcome, not an
 * error. A condition also fails if this same write succeeded before and its answer was lost (a retry by the
 * SDK). The adapter recognises that from the old item and reports `ok`. Any other failure throws
 * `StoreUnavailableError` (retry later: the write may or may not have happened) or `StoreUnusableError`.
 */
import type { Application } from "../core/application.ts";
import type { ErrorClass } from "../core/error-class.ts";
import { codeOf, EvenkeelError } from "../core/errors.ts";
import type { Checkpoint, Lease } from "../core/lease.ts";
import type { Assignment, FleetRow, FleetSize, Member } from "../core/member.ts";

export type WriteOutcome =
  /** `lease`: the row after the write. */
  | { readonly kind: "ok"; readonly lease: Lease }
  /**
   * Another worker wrote the row. `current`: the row now, if the store returns it; undefined when gone or
   * unknown.
   */
  | { readonly kind: "lost"; readonly current: Lease | undefined };

/**
 * `bumpError`: the entry is written, but the write to fleet row 0 that increments the fleet version failed.
 */
export interface Written {
  readonly kind: "ok";
  readonly fleetRow: FleetRow;
  readonly bumpError?: unknown;
}

/**
 * The entry is `written`, so the outcome is a success: a healthy worker must not count as expired because
 * fleet row 0 is throttled.
 */
export async function withBump(written: Written, bump: Promise<void>): Promise<Written> {
  try {
    await bump;
    return written;
  } catch (bumpError) {
    return { ...written, bumpError };
  }
}

export type HeartbeatOutcome =
  | Written
  /**
   * This incarnation is no longer a member. `entry`: what the row now has under its worker id: its own entry,
   * marked dead; the entry of another incarnation (a second process with this id); or undefined (it was
   * removed).
   */
  | { readonly kind: "fencedOut"; readonly entry: Member | undefined };

export interface LeaseListing {
  readonly leases: readonly Lease[];
  /** Lease rows that cannot be decoded: reported, never silently dropped. */
  readonly corrupt: readonly { readonly leaseKey: string; readonly problem: string }[];
  /** Fleet rows found in the listing. */
  readonly fleetRows: readonly FleetRow[];
  /** The application's own row was among them. */
  readonly hasApplication: boolean;
}

export class StoreError extends EvenkeelError {
  readonly errorClass: ErrorClass;
  constructor(message: string, options: ErrorOptions & { readonly errorClass?: ErrorClass } = {}) {
    const { errorClass = "unavailable", ...rest } = options;
    super(codeOf(errorClass), message, rest);
    this.errorClass = errorClass;
  }
}

/** It may pass by itself. */
export class StoreUnavailableError extends StoreError {
  override readonly name = "StoreUnavailableError";
}

/** A wrong table, a missing permission, …: a person must change something. The message states the remedy. */
export class StoreUnusableError extends StoreError {
  override readonly name = "StoreUnusableError";
}

export interface LeaseStore {
  /**
   * Checks the table's key schema. Creates the table (on demand) when it is missing and `create` is true.
   * Safe when several workers start at once.
   */
  ensureTable(create: boolean): Promise<void>;

  /** Every row, from all pages; strongly consistent if asked. */
  list(options: { readonly consistent: boolean }): Promise<LeaseListing>;
  /** The row of one lease, strongly consistent. Undefined: it does not exist, or cannot be decoded. */
  read(leaseKey: string): Promise<Lease | undefined>;
  /** Condition: the row does not exist. The counter starts at 0. `exists` leaves the row as it is. */
  create(lease: Lease): Promise<"created" | "exists">;
  /**
   * Makes `owner` the owner of an unowned or expired lease. Condition: counter and owner are as in `seen`.
   * Adds an owner switch if it had another owner. Removes `checkpointOwner`.
   */
  claim(seen: Lease, owner: string): Promise<WriteOutcome>;
  /**
   * Counter only. Condition of this and the next four: owner is `held.owner`, counter is `held.counter`, and
   * no `checkpointOwner` other than the holder.
   */
  renew(held: Lease): Promise<WriteOutcome>;
  /** Sets the checkpoint, resets owner switches to 0, clears pending checkpoints. */
  checkpoint(held: Lease, checkpoint: Checkpoint): Promise<WriteOutcome>;
  /** One write: the checkpoint (if it moved), `leaseOwner = to`, +1 owner switch. */
  handOver(held: Lease, to: string, checkpoint: Checkpoint): Promise<WriteOutcome>;
  /** One write: the checkpoint (if it moved), and no owner. */
  release(held: Lease, checkpoint: Checkpoint): Promise<WriteOutcome>;
  /** SHARD_END, `childShardIds`, and no owner. The children's rows must exist already. */
  complete(held: Lease, childShardIds: readonly string[]): Promise<WriteOutcome>;
  /**
   * Deletes an ended lease. Condition: counter is as in `seen`. A row that is gone counts as removed (by
   * another worker, or by an earlier try whose answer was lost).
   */
  remove(seen: Lease): Promise<"removed" | "changed">;

  /** The application's own row. Undefined: it does not exist yet. Strongly consistent. */
  readApplication(): Promise<Application | undefined>;
  /**
   * Condition: the row does not exist. Returns the row in the table: this one, or the one that another worker
   * created first.
   */
  createApplication(application: Application): Promise<Application>;
  /** Condition: the row belongs to the stream of `seen`. */
  replaceApplication(seen: Application, next: Application): Promise<"replaced" | "changed">;

  /** Eventually consistent by default: half a read unit. Undefined: no such fleet row. */
  readFleet(fleetRow: number, options?: { readonly consistent?: boolean }): Promise<FleetRow | undefined>;
  /**
   * Adds the member to a fleet row with room, or replaces an entry of the same worker id. Creates the row
   * when missing. Increments the fleet version on fleet row 0.
   */
  join(fleetRow: number, member: Member): Promise<Written | { readonly kind: "full" }>;
  /**
   * Writes this member's entry (heartbeat, state, cap) and returns its whole fleet row: a heartbeat is a poll
   * too. `bump`: also increment the fleet version. Condition: the entry has this incarnation, is not dead,
   * and has no higher heartbeat.
   */
  sendHeartbeat(
    fleetRow: number,
    member: Member,
    options: { readonly bump: boolean },
  ): Promise<HeartbeatOutcome>;
  /**
   * Marks a member dead and increments the fleet version. Condition: incarnation and heartbeat are as in
   * `seen`.
   */
  markDead(fleetRow: number, seen: Member): Promise<"declared" | "changed">;
  /**
   * Sets the assignments of a fleet row, and on fleet row 0 the fleet size (undefined: removes it).
   * Condition: the row exists. Does not change the fleet version.
   */
  assign(
    fleetRow: number,
    assignments: readonly Assignment[],
    size: FleetSize | undefined,
  ): Promise<"assigned" | "gone">;
  /**
   * Removes an entry (this worker's at its end, or a dead one without leases) and increments the fleet
   * version. Condition: the incarnation; an entry that is gone counts as left. With its last entry, a fleet
   * row above 0 is deleted. Fleet row 0 is deleted when no fleet row has members.
   */
  leave(fleetRow: number, member: Member): Promise<"left" | "changed">;
  /**
   * Increments the fleet version on fleet row 0, so that all workers scan at their next poll. No-op without
   * fleet row 0.
   */
  bumpFleetVersion(): Promise<void>;
}
