/**
 * The lease table, as the engine needs it. Adapters: DynamoDB, and the simulator's memory store, which must keep
 * the very same conditions (`test/conformance` runs one suite on both).
 *
 * Every write bumps `leaseCounter` by one and is conditional. A failed condition is an outcome, not an error.
 * A write whose condition failed because *this very write* had already succeeded (an SDK retry after a lost
 * answer) is told apart by the old item and reported as `ok`.
 * Anything else that goes wrong throws `StoreUnavailable` (retry later: it may or may not have happened).
 */
import type { Application } from "../core/application.ts";
import type { ErrorClass } from "../core/error-class.ts";
import { codeOf, EvenkeelError } from "../core/errors.ts";
import type { Checkpoint, Lease } from "../core/lease.ts";
import type { Assignment, FleetRow, FleetSize, Member } from "../core/member.ts";

export type WriteOutcome =
  /** `lease`: the row as it stands after the write. */
  | { readonly kind: "ok"; readonly lease: Lease }
  /** Somebody else wrote the row. `current`: the row as it stands, where the store can tell; undefined when gone or unknown. */
  | { readonly kind: "lost"; readonly current: Lease | undefined };

/** `bumpError`: the entry is written, and the write of page 0 that moves the generation failed. */
export interface Written {
  readonly kind: "ok";
  readonly fleetRow: FleetRow;
  readonly bumpError?: unknown;
}

/** The entry is `written`: a worker that is well must not pass for silent because page 0 is throttled. */
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
   * This incarnation is no longer a member. `entry`: what the row has under its worker id instead: its own entry, marked
   * dead; another incarnation's (a second process with this id); or nothing (it was removed).
   */
  | { readonly kind: "fencedOut"; readonly entry: Member | undefined };

export interface LeaseListing {
  readonly leases: readonly Lease[];
  /** Lease rows that cannot be read: named, never silently dropped. */
  readonly corrupt: readonly { readonly leaseKey: string; readonly problem: string }[];
  /** Fleet pages found on the way. */
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

/** May pass by itself. */
export class StoreUnavailable extends StoreError {
  override readonly name = "StoreUnavailable";
}

/** A wrong table, missing permission, …: somebody has to change something. The message says what to do. */
export class StoreUnusable extends StoreError {
  override readonly name = "StoreUnusable";
}

export interface LeaseStore {
  /** Checks the table's key schema; creates it (on demand) when missing and `create`. Safe when several workers start at once. */
  ensureTable(create: boolean): Promise<void>;

  /** Every row, paginated, strongly consistent when asked. */
  list(options: { readonly consistent: boolean }): Promise<LeaseListing>;
  /** One lease's row, strongly consistent; undefined: there is none, or it cannot be read. */
  read(leaseKey: string): Promise<Lease | undefined>;
  /** Condition: the row does not exist. Counter starts at 0. `exists` leaves the row as it is. */
  create(lease: Lease): Promise<"created" | "exists">;
  /** Makes `owner` the owner of an unowned or expired lease. Condition: counter and owner are as in `seen`; adds an owner switch when it had another owner; removes `checkpointOwner`. */
  claim(seen: Lease, owner: string): Promise<WriteOutcome>;
  /** Counter only. Condition of this and the next five: owner is `held.owner`, counter is `held.counter`, no `checkpointOwner` other than the holder. */
  renew(held: Lease): Promise<WriteOutcome>;
  /** Sets the checkpoint, owner switches back to 0, clears pending checkpoints. */
  checkpoint(held: Lease, checkpoint: Checkpoint): Promise<WriteOutcome>;
  /** One write: checkpoint (when it moved) and `leaseOwner = to`, +1 owner switch. */
  handOver(held: Lease, to: string, checkpoint: Checkpoint): Promise<WriteOutcome>;
  /** One write: checkpoint (when it moved) and no owner. */
  release(held: Lease, checkpoint: Checkpoint): Promise<WriteOutcome>;
  /** SHARD_END, `childShardIds`, and no owner. The children's rows must exist already. */
  complete(held: Lease, childShardIds: readonly string[]): Promise<WriteOutcome>;
  /** Deletes an ended lease. Condition: counter is as seen. A row that is gone counts as removed (by a rival, or by a try whose answer was lost). */
  remove(seen: Lease): Promise<"removed" | "changed">;

  /** The application's own row; undefined: none yet. Strongly consistent. */
  readApplication(): Promise<Application | undefined>;
  /** Condition: there is none. Returns the row that stands: this one, or the one another worker made first. */
  createApplication(application: Application): Promise<Application>;
  /** Condition: the row is bound to the stream of `seen`. */
  replaceApplication(seen: Application, next: Application): Promise<"replaced" | "changed">;

  /** Eventually consistent by default: half a read unit. Undefined: no such page. */
  readFleet(fleetRow: number, options?: { readonly consistent?: boolean }): Promise<FleetRow | undefined>;
  /** Adds (or replaces a namesake of) the member on a page with room, making the page when missing; bumps the page-0 generation. */
  join(fleetRow: number, member: Member): Promise<Written | { readonly kind: "full" }>;
  /**
   * Writes this member's entry (heartbeat, state, cap) and returns its whole page: a heartbeat is a look too.
   * `bump`: also move the generation. Condition: the entry has this incarnation, is not dead, and no higher heartbeat.
   */
  sendHeartbeat(
    fleetRow: number,
    member: Member,
    options: { readonly bump: boolean },
  ): Promise<HeartbeatOutcome>;
  /** Marks a member dead and bumps. Condition: incarnation and heartbeat are as seen. */
  markDead(fleetRow: number, seen: Member): Promise<"declared" | "changed">;
  /** Sets the page's assignments, and on page 0 the fleet's size (undefined: removes it). Condition: the page is there. Bumps nothing. */
  assign(
    fleetRow: number,
    assignments: readonly Assignment[],
    size: FleetSize | undefined,
  ): Promise<"assigned" | "gone">;
  /** Removes an entry (one's own at the end, or a dead one without leases) and bumps. Condition: the incarnation; an entry that is gone counts as left. Deletes the page when it was the last entry and `fleetRow` > 0 or no other page has members, and an empty page 0 with the last member of any page. */
  leave(fleetRow: number, member: Member): Promise<"left" | "changed">;
  /** Moves the generation of page 0, so that everybody scans at the next look. No-op when there is no page 0. */
  bumpFleetVersion(): Promise<void>;
}
