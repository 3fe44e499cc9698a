/** A stream that keeps Kinesis's rules for resharding, on a clock that only sleeping moves, and that can crash its caller at any call. */
import type { ReshardDeps } from "../../../services/resharder/perform-reshard.ts";
import {
  type ExistingShard,
  type LeaseOwner,
  type ReshardableStream,
  StreamRefusal,
} from "../../../services/resharder/ports.ts";
import type { Clock } from "../../../services/shared/clock.ts";
import { adjacent, FULL_RANGE, MAX_HASH_KEY, width } from "../../../services/shared/hash-range.ts";
import { seededRandom } from "../../../services/shared/random.ts";

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
  /** The call to crash at, and whether its effect happens first (an answer that is lost). */
  crashAt: { readonly call: number; readonly afterEffect: boolean } | undefined;
  /** Refusals to hand out to the next splits and merges. */
  refusals: StreamRefusal[] = [];
  private updatingUntil = Number.NEGATIVE_INFINITY;

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

  status = () => this.call(() => (this.isActive() ? ("active" as const) : ("updating" as const)));

  openShards = () =>
    this.call(() =>
      this.open.map(({ shardId, hashRange, splitFrom }) => ({ shardId, hashRange, splitFrom })),
    );

  split = (shardId: string, newStartingHashKey: bigint) =>
    this.call(() => {
      const parent = this.changeable(shardId);
      const { start, end } = parent.hashRange;
      if (newStartingHashKey <= start || newStartingHashKey > end)
        throw new StreamRefusal("stale", "the hash key is outside of the shard");
      this.close([parent]);
      this.add(start, newStartingHashKey - 1n, shardId);
      this.add(newStartingHashKey, end, shardId);
    });

  merge = (lowerShardId: string, upperShardId: string) =>
    this.call(() => {
      const lower = this.changeable(lowerShardId);
      const upper = this.changeable(upperShardId);
      if (!adjacent(lower.hashRange, upper.hashRange))
        throw new StreamRefusal("stale", "the shards are not adjacent");
      this.close([lower, upper]);
      this.add(lower.hashRange.start, upper.hashRange.end, undefined);
    });

  private changeable(shardId: string): MemoryShard {
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    if (!this.isActive()) throw new StreamRefusal("busy", "ResourceInUseException");
    const shard = this.shards.find((candidate) => candidate.shardId === shardId);
    if (shard === undefined || shard.closed) throw new StreamRefusal("stale", `${shardId} is not open`);
    return shard;
  }

  private isActive = () => this.clock.monotonicMillis() >= this.updatingUntil;

  private close(parents: readonly MemoryShard[]): void {
    for (const parent of parents) parent.closed = true;
    this.updatingUntil = this.clock.monotonicMillis() + this.changeMillis;
  }

  private add(start: bigint, end: bigint, splitFrom: string | undefined): void {
    this.shards.push({
      shardId: `shard-${this.shards.length}`,
      hashRange: { start, end },
      splitFrom,
      closed: false,
    });
  }

  private async call<T>(effect: () => T): Promise<T> {
    this.calls += 1;
    const crash = this.crashAt?.call === this.calls ? this.crashAt : undefined;
    if (crash && !crash.afterEffect) throw new Crash(`before call ${this.calls}`);
    const result = effect();
    if (crash) throw new Crash(`after call ${this.calls}`);
    return result;
  }
}

/** A fleet of given lease owners that counts how often it is woken, and with how many shards listed. */
export class MemoryFleet {
  leases: LeaseOwner[] = [];
  readonly wokenWith: number[] = [];
  failsToWake = false;
  private readonly stream: MemoryStream;

  constructor(stream: MemoryStream) {
    this.stream = stream;
  }

  leaseOwners = async () => this.leases;
  wake = async () => {
    if (this.failsToWake) throw new Error("no such table");
    this.wokenWith.push(this.stream.open.length);
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
