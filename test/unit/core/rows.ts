/** Short ways to write lease rows, shards and members down in tests. */
import type { Facts, HeldLeaseFacts } from "../../../src/core/facts.ts";
import { FULL_RANGE, type HashRange, midpoint } from "../../../src/core/hash-range.ts";
import { leadersAmong } from "../../../src/core/leaders.ts";
import { type Lease, SHARD_END, sentinel, TRIM_HORIZON } from "../../../src/core/lease.ts";
import { tableOf } from "../../../src/core/lineage.ts";
import type { Member } from "../../../src/core/member.ts";
import type { Shard } from "../../../src/core/shard.ts";

/** Unowned, not begun. */
export const row = (leaseKey: string, rest: Partial<Lease> = {}): Lease => ({
  leaseKey,
  owner: undefined,
  counter: 0,
  checkpoint: sentinel(TRIM_HORIZON),
  ownerSwitchesSinceCheckpoint: 0,
  parentShardIds: [],
  childShardIds: [],
  hashRange: undefined,
  checkpointOwner: undefined,
  ...rest,
});

export const at = (sequenceNumber: string) => ({ sequenceNumber, subSequenceNumber: 0 });
export const ENDED: Partial<Lease> = { checkpoint: sentinel(SHARD_END) };

export const member = (workerId: string, rest: Partial<Member> = {}): Member => ({
  workerId,
  incarnation: `${workerId}-1`,
  heartbeat: 1,
  state: "active",
  maxLeases: undefined,
  steals: true,
  failoverTimeMillis: 10_000,
  ...rest,
});

export interface Scene extends Partial<Omit<Facts, "self" | "members" | "table" | "held">> {
  readonly members: readonly Member[];
  readonly rows: readonly Lease[];
  /** Default: all leases whose rows name the worker, being read. */
  readonly held?: ReadonlyMap<string, HeldLeaseFacts>;
}

/** What `workerId` reads of a scene. */
export function factsOf(workerId: string, { members, rows, held, ...rest }: Scene): Facts {
  const reading = rows
    .filter((lease) => lease.owner === workerId)
    .map((lease) => [lease.leaseKey, { counter: lease.counter, phase: "reading" }] as const);
  const self = members.find((m) => m.workerId === workerId)!;
  return {
    self,
    members,
    expiredMembers: new Set(),
    expiredLeases: new Set(),
    observedLeases: new Set(),
    unreadable: new Set(),
    missing: new Set(),
    overdue: new Set(),
    passedOver: new Set(),
    stuckJoiners: new Set(),
    evidence: undefined,
    assigns: false,
    leads: leadersAmong(members)[0] === workerId,
    underfilled: new Set(),
    table: tableOf(rows),
    held: held ?? new Map(reading),
    mayRelease: false,
    // The formula returns what the worker has published: it takes nothing while the two differ.
    computeCap: () => self.maxLeases,
    ...rest,
  };
}

/** A stream as ListShards returns it, changed by splits and merges. */
export class PaperStream {
  readonly #shards: Shard[] = [];

  constructor(count: number) {
    let ranges: HashRange[] = [FULL_RANGE];
    while (ranges.length < count) {
      const [first, ...rest] = ranges;
      ranges = [...rest, ...halves(first!)];
    }
    for (const range of ranges.toSorted((a, b) => (a.start < b.start ? -1 : 1))) this.#open([], range);
  }

  get shards(): readonly Shard[] {
    return this.#shards;
  }

  get open(): readonly Shard[] {
    return this.#shards.filter((s) => !s.closed);
  }

  /** @returns the children */
  split(shardId: string): readonly [Shard, Shard] {
    const parent = this.#close(shardId);
    const [lower, upper] = halves(parent.hashRange);
    return [this.#open([shardId], lower), this.#open([shardId], upper)];
  }

  merge(lowerId: string, upperId: string): Shard {
    const [lower, upper] = [this.#close(lowerId), this.#close(upperId)];
    return this.#open([lowerId, upperId], { start: lower.hashRange.start, end: upper.hashRange.end });
  }

  #open(parentShardIds: readonly string[], hashRange: HashRange): Shard {
    const shard = { shardId: `s${this.#shards.length}`, parentShardIds, hashRange, closed: false };
    this.#shards.push(shard);
    return shard;
  }

  #close(shardId: string): Shard {
    const index = this.#shards.findIndex((s) => s.shardId === shardId && !s.closed);
    const shard = this.#shards[index];
    if (shard === undefined) throw new Error(`${shardId} is not open`);
    this.#shards[index] = { ...shard, closed: true };
    return shard;
  }
}

function halves(range: HashRange): [HashRange, HashRange] {
  const middle = midpoint(range);
  if (middle === undefined) throw new Error("one key cannot be split");
  return [
    { start: range.start, end: middle - 1n },
    { start: middle, end: range.end },
  ];
}
