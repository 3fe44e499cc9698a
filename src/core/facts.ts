/** The facts that the decisions of one iteration are made from. Gathered by `engine/gather-facts.ts`. */
import type { LeaseTable } from "./lineage.ts";
import type { Member } from "./member.ts";

export interface Facts {
  /** This worker's fleet row entry, as it last wrote it. */
  readonly self: Member;
  /** Every member in the fleet rows, this worker included. */
  readonly members: readonly Member[];
  /**
   * Members whose heartbeat has not moved for the failover time on this worker's clock. They are first marked
   * dead in the fleet rows. The plan leaves them out only once the rows mark them dead: all workers plan from
   * the same rows.
   */
  readonly expiredMembers: ReadonlySet<string>;
  readonly table: LeaseTable;
  /**
   * Keys of lease rows that exist but cannot be decoded. They block their children, and no worker reads their
   * shards.
   */
  readonly unreadable: ReadonlySet<string>;
  /**
   * Parents whose rows were removed by hand or by another program (`missingParents`). They block their
   * children until the leader has created the rows again.
   */
  readonly missing: ReadonlySet<string>;
  /** Leases whose owner is not a member and whose counter has not moved for the failover time. */
  readonly expiredLeases: ReadonlySet<string>;
  /**
   * Leases of a non-member owner that this worker has observed for a full failover time. Only such a lease
   * may be stolen from a non-member owner that is alive.
   */
  readonly observedLeases: ReadonlySet<string>;
  /**
   * Leases (`untakenKey`) that another worker was to take and has not. This worker takes them, as far as its
   * cap allows.
   */
  readonly overdue: ReadonlySet<string>;
  /** Workers that did not take the leases planned for them. They keep what they have and get no more. */
  readonly passedOver: ReadonlySet<string>;
  /** Workers that have been joining for too long. The plan leaves them out. */
  readonly stuckJoiners: ReadonlySet<string>;
  /**
   * The dead member whose entry is kept for a while although it owns no lease any more: it died young
   * (`trial.ts`).
   */
  readonly evidence: string | undefined;
  /** Leases that this worker reads, is about to hand over, or has a claim in flight for. */
  readonly held: ReadonlyMap<string, HeldLeaseFacts>;
  /** This worker is the leader (`leaders.ts`). */
  readonly leads: boolean;
  /**
   * This worker is the leader or the deputy of a very large fleet: the other workers carry out its plan. A
   * lease planned for this worker itself then counts as untaken too.
   */
  readonly assigns: boolean;
  /**
   * Workers that have held fewer leases than the rows give them for longer than a claim takes. All their
   * leases are assigned to them again.
   */
  readonly underfilled: ReadonlySet<string>;
  /**
   * This worker is leaving, and the others have had time to raise their caps. It may release the leases that
   * no worker has room for.
   */
  readonly mayRelease: boolean;
  readonly computeCap: (fleet: { readonly shards: number; readonly workers: number }) => number | undefined;
}

export interface HeldLeaseFacts {
  readonly counter: number;
  /**
   * - reading: may be asked to drain.
   * - claiming: a claim is in flight.
   * - busy: a hand-over, completion or release is in flight.
   */
  readonly phase: "reading" | "claiming" | "busy";
  /** The recipient of the hand-over in flight. */
  readonly to?: string | undefined;
}
