/**
 * A stream with Kinesis's rules for resharding, on a clock that moves only by sleeping. It can crash its
 * caller at any call.
 */
import type { ReshardDeps } from "../../../services/resharder/perform-reshard.ts";
import {
  type ExistingShard,
  type LeaseOwner,
  type ReshardableStream,
  StreamRefusal,
  type TableRefusal,
} from "../../../services/resharder/ports.ts";
import { adjacent, FULL_RANGE, MAX_HASH_KEY, midpoint, width } from "../../../src/core/hash-range.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import { seededRandom } from "../../../src/ports/random.ts";

export class Crash extends Error {
  override readonly name = "Crash";
}

export function virtualClock(): Clock & { now: number } {
  return {
    now: 1_000,
    wallMillis() {
      return this.now;
    },
    monotonicMillis() {
      return this.now;
    },
    async sleep(millis) {
      this.now += millis;
    },
  };
}

interface MemoryShard extends ExistingShard {
  closed: boolean;
}

export class MemoryStream implements ReshardableStream {
  readonly shards: MemoryShard[];
  readonly clock: Clock;
  readonly changeMillis: number;
  calls = 0;
  /** The call at which to crash, and whether its effect happens first (a lost answer). */
  crashAt: { readonly call: number; readonly afterEffect: boolean } | undefined;
  /** Refusals for the next splits and merges. */
  refusals: StreamRefusal[] = [];
  /** Refusals for the next reads. */
  readRefusals: (StreamRefusal | undefined)[] = [];
  /**
   * How many UpdateShardCount calls are left. After that they are refused for good, like the eleventh call of
   * a day.
   */
  updatesAllowed = 10;
  /**
   * After every change this many listings lag. `hole`: the newest shards are missing; `before`: the listing
   * is as before the change.
   */
  lag: { readonly listings: number; readonly shows: "hole" | "before" } | undefined;
  #lagging: { left: number; readonly listing: readonly MemoryShard[] } | undefined;
  #updatingUntil = Number.NEGATIVE_INFINITY;

  constructor(count: number, clock: Clock, changeMillis = 200) {
    this.clock = clock;
    this.changeMillis = changeMillis;
    const size = width(FULL_RANGE) / BigInt(count);
    this.shards = Array.from({ length: count }, (_, i) => ({
      shardId: `shard-${i}`,
      hashRange: { start: size * BigInt(i), end: i === count - 1 ? MAX_HASH_KEY : size * BigInt(i + 1) - 1n },
      splitFrom: undefined,
      closed: false,
    }));
  }

  get open(): readonly ExistingShard[] {
    return this.shards.filter((shard) => !shard.closed);
  }

  status = () => this.#read(() => (this.#isActive() ? ("active" as const) : ("updating" as const)));

  /** Ends a lag in progress. */
  listAsIs(): void {
    this.#lagging = undefined;
  }

  openShardCount = () => this.#read(() => this.open.length);

  openShards = () =>
    this.#read(() => {
      const lagging = this.#lagging;
      if (lagging !== undefined && --lagging.left <= 0) this.#lagging = undefined;
      return (lagging?.listing ?? this.open).map(({ shardId, hashRange, splitFrom }) => ({
        shardId,
        hashRange,
        splitFrom,
      }));
    });

  split = (shardId: string, newStartingHashKey: bigint) =>
    this.#call(() => {
      const parent = this.#changeable(shardId);
      const { start, end } = parent.hashRange;
      if (newStartingHashKey <= start || newStartingHashKey > end)
        throw new StreamRefusal("stale", "the hash key is outside of the shard");
      this.#change([parent], () => this.#addHalves(parent, newStartingHashKey));
    });

  merge = (lowerShardId: string, upperShardId: string) =>
    this.#call(() => {
      const lower = this.#changeable(lowerShardId);
      const upper = this.#changeable(upperShardId);
      if (!adjacent(lower.hashRange, upper.hashRange))
        throw new StreamRefusal("stale", "the shards are not adjacent");
      this.#change([lower, upper], () => this.#add(lower.hashRange.start, upper.hashRange.end, undefined));
    });

  /**
   * Splits every shard once, or merges it once with its neighbour, as Kinesis does for twice or half an even
   * count.
   */
  updateShardCount = (target: number) =>
    this.#call(() => {
      this.#requireChangeable();
      const open = this.shards.filter((shard) => !shard.closed);
      const inOrder = open.toSorted((a, b) => (a.hashRange.start < b.hashRange.start ? -1 : 1));
      if (target !== 2 * open.length && 2 * target !== open.length)
        throw new StreamRefusal("stale", `InvalidArgumentException: ${open.length} to ${target}`);
      if (this.updatesAllowed-- <= 0)
        throw new StreamRefusal("throttled", "LimitExceededException: more than 10 times in 24 hours");
      this.#change(open, () => {
        if (target > open.length)
          for (const shard of inOrder) this.#addHalves(shard, midpoint(shard.hashRange)!);
        else
          for (let i = 0; i < inOrder.length; i += 2)
            this.#add(inOrder[i]!.hashRange.start, inOrder[i + 1]!.hashRange.end, undefined);
      });
    });

  #requireChangeable(): void {
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    if (!this.#isActive()) throw new StreamRefusal("busy", "ResourceInUseException");
  }

  #changeable(shardId: string): MemoryShard {
    this.#requireChangeable();
    const shard = this.shards.find((candidate) => candidate.shardId === shardId);
    if (shard === undefined || shard.closed) throw new StreamRefusal("stale", `${shardId} is not open`);
    return shard;
  }

  #isActive = () => this.clock.monotonicMillis() >= this.#updatingUntil;

  #change(parents: readonly MemoryShard[], add: () => void): void {
    const before = this.shards.filter((shard) => !shard.closed);
    for (const parent of parents) parent.closed = true;
    this.#updatingUntil = this.clock.monotonicMillis() + this.changeMillis;
    const hole = this.shards.filter((shard) => !shard.closed);
    add();
    if (this.lag === undefined || this.lag.listings === 0) return;
    this.#lagging = { left: this.lag.listings, listing: this.lag.shows === "hole" ? hole : before };
  }

  #addHalves(parent: MemoryShard, newStartingHashKey: bigint): void {
    const { start, end } = parent.hashRange;
    this.#add(start, newStartingHashKey - 1n, parent.shardId);
    this.#add(newStartingHashKey, end, parent.shardId);
  }

  #add(start: bigint, end: bigint, splitFrom: string | undefined): void {
    this.shards.push({
      shardId: `shard-${this.shards.length}`,
      hashRange: { start, end },
      splitFrom,
      closed: false,
    });
  }

  #read<T>(effect: () => T): Promise<T> {
    return this.#call(() => {
      const refusal = this.readRefusals.shift();
      if (refusal) throw refusal;
      return effect();
    });
  }

  async #call<T>(effect: () => T): Promise<T> {
    this.calls += 1;
    const crash = this.crashAt?.call === this.calls ? this.crashAt : undefined;
    if (crash && !crash.afterEffect) throw new Crash(`before call ${this.calls}`);
    const result = effect();
    if (crash) throw new Crash(`after call ${this.calls}`);
    return result;
  }
}

/** A fleet of given lease owners. Counts how often it is woken, and with how many listed shards. */
export class MemoryFleet {
  leases: LeaseOwner[] = [];
  readonly wokenWith: number[] = [];
  failsToWake = false;
  readonly #stream: MemoryStream;

  constructor(stream: MemoryStream) {
    this.#stream = stream;
  }

  /** Refusals for the next reads of the table. */
  refusals: TableRefusal[] = [];

  leaseOwners = async () => {
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    return this.leases;
  };
  wake = async () => {
    if (this.failsToWake) throw new Error("no such table");
    this.wokenWith.push(this.#stream.open.length);
    return "woken" as const;
  };
}

export interface World {
  readonly stream: MemoryStream;
  readonly fleet: MemoryFleet;
  readonly clock: Clock & { now: number };
  readonly deps: ReshardDeps;
  readonly logged: string[];
}

export function makeWorld(shards: number, changeMillis?: number): World {
  const clock = virtualClock();
  const stream = new MemoryStream(shards, clock, changeMillis);
  const fleet = new MemoryFleet(stream);
  const logged: string[] = [];
  const deps = {
    stream,
    fleet,
    clock,
    random: seededRandom(1),
    log: (_: object, message: string) => void logged.push(message),
  };
  return { stream, fleet, clock, deps, logged };
}
