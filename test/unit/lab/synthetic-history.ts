/**
 * A history as a correct fleet would write it, from a seed: workers start, shards split, workers join, and
 * optionally one is killed. Checkers must find it valid. Tests damage it and expect the right checker to
 * report that.
 */

import { type ExperimentSettings, evenDistribution, SEED_SETTINGS } from "../../../lab/settings.ts";
import type { HistoryEvent } from "../../../services/contract/history.ts";
import { type Random, seededRandom } from "../../../src/ports/random.ts";

export interface SyntheticOptions {
  readonly seed: number;
  readonly shards: number;
  readonly splitTo: number;
  readonly pods: number;
  readonly scaleTo: number;
  readonly rate: number;
  readonly keys: number;
  /** Length of each of the four phases (start, split, scale, rest). */
  readonly phaseMillis: number;
  /** Kills one worker with SIGKILL in the last phase. */
  readonly kill: boolean;
}

export const START = 1_795_000_000_000;
const STEP_MILLIS = 50;
const READ_EVERY_MILLIS = 250;
const CHECKPOINT_EVERY_MILLIS = 5_000;
const FAILOVER_MILLIS = 4_000;

export const settingsOf = (options: SyntheticOptions): ExperimentSettings => {
  const { shards, splitTo, pods, scaleTo, rate, keys } = options;
  return { ...SEED_SETTINGS, shards, splitTo, pods, scaleTo, rate, keys };
};

interface Stored {
  readonly key: string;
  readonly n: number;
  readonly sequenceNumber: string;
}

interface Shard {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly parents: readonly string[];
  readonly records: Stored[];
  closed: boolean;
  ended: boolean;
  /** When its lease row is created. */
  leasedAt: number;
  owner: string | null;
  next: number;
  checkpoint: number;
  checkpointedAt: number;
  /** The owner does not read before this time. */
  readyAt: number;
}

export function syntheticHistory(options: SyntheticOptions): HistoryEvent[] {
  return new World(options).run();
}

class World {
  readonly #options: SyntheticOptions;
  readonly #random: Random;
  readonly #events: HistoryEvent[] = [];
  readonly #shards: Shard[] = [];
  readonly #counters = new Map<string, number>();
  #workers: string[] = [];
  #dead: { worker: string; at: number } | undefined;
  #serial = 0;
  #due = 0;

  constructor(options: SyntheticOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    for (let i = 0; i < options.shards; i++)
      this.#addShard(i / options.shards, (i + 1) / options.shards, [], START);
  }

  run(): HistoryEvent[] {
    const { phaseMillis, splitTo, shards, pods, scaleTo } = this.#options;
    const splitAt = START + phaseMillis;
    const scaleAt = splitAt + phaseMillis;
    const restAt = scaleAt + phaseMillis;
    const quietAt = restAt + phaseMillis;
    this.#mark(START, "phase", { phase: "start" });
    const started = Array.from({ length: pods }, (_, i) => this.#start(i + 1, START + 100 * i));
    for (let t = START; ; t += STEP_MILLIS) {
      if (t === START + 1_000) this.#spread(started, t);
      if (t === splitAt && splitTo !== shards) this.#split(t);
      if (t === scaleAt) {
        this.#mark(t, "phase", { phase: "scale" });
        this.#mark(t, "scale-requested", { from: pods, to: scaleTo });
        for (let i = pods; i < scaleTo; i++) this.#start(i + 1, t + 400 + 100 * (i - pods));
      }
      if (t === scaleAt + 1_500)
        this.#spread(
          Array.from({ length: scaleTo }, (_, i) => worker(i + 1)),
          t,
        );
      if (t === restAt) this.#mark(t, "phase", { phase: "rest" });
      if (t === restAt + 500 && this.#options.kill) this.#kill(t);
      if (this.#dead?.at === t - FAILOVER_MILLIS) this.#takeOver(t);
      if (t < quietAt) this.#put(t);
      for (const shard of this.#shards) this.#read(shard, t);
      if (t % 200 === 0) this.#sample(t + 3);
      const done = this.#shards.every((shard) => shard.next === shard.records.length);
      if (t > quietAt + 2_000 && (this.#dead === undefined || t > this.#dead.at + FAILOVER_MILLIS) && done) {
        this.#sample(t + 100);
        this.#mark(t + 150, "stop-requested", {});
        break;
      }
    }
    return this.#events.toSorted((a, b) => a.t - b.t);
  }

  #mark(t: number, name: string, details: object): void {
    this.#events.push({ type: "event", t, name, ...details });
  }

  #between(low: number, high: number): number {
    return low + Math.floor(this.#random.next() * (high - low));
  }

  #addShard(from: number, to: number, parents: readonly string[], leasedAt: number): Shard {
    const id = `shardId-${String(this.#shards.length).padStart(12, "0")}`;
    const shard: Shard = {
      id,
      from,
      to,
      parents,
      records: [],
      closed: false,
      ended: false,
      leasedAt,
      owner: null,
      next: 0,
      checkpoint: 0,
      checkpointedAt: START,
      readyAt: 0,
    };
    this.#shards.push(shard);
    return shard;
  }

  #start(number: number, t: number): string {
    this.#mark(t, "task-started", { worker: worker(number) });
    this.#mark(t + 300, "worker-joined", { worker: worker(number) });
    return worker(number);
  }

  #lease(
    t: number,
    name: string,
    shard: Shard,
    action: "claimed" | "received" | "handed-over" | "completed",
    reason: string,
  ) {
    this.#events.push({ type: "lease", t, worker: name, leaseKey: shard.id, action, reason });
  }

  #live(): Shard[] {
    return this.#shards.filter((shard) => !shard.ended && !this.#blocked(shard));
  }

  #blocked(shard: Shard): boolean {
    return shard.parents.some((parent) => this.#shards.some(({ id, ended }) => id === parent && !ended));
  }

  /** Moves the fewest leases that make the fleet even; unowned ones are claimed. */
  #spread(workers: readonly string[], t: number): void {
    this.#workers = [...workers];
    const live = this.#live();
    const even = evenDistribution(live.length, workers.length, Number.POSITIVE_INFINITY);
    const holding = (name: string) => live.filter(({ owner }) => owner === name);
    const ranked = workers.toSorted((a, b) => holding(b).length - holding(a).length);
    const spare = live.filter(({ owner }) => owner === null);
    for (const [i, name] of ranked.entries()) spare.push(...holding(name).slice(even[i]));
    for (const [i, name] of ranked.entries()) {
      const missing = Math.max(0, (even[i] as number) - holding(name).length);
      for (const shard of spare.splice(0, missing)) this.#move(shard, name, t + this.#between(0, 200));
    }
  }

  #move(shard: Shard, to: string, t: number): void {
    const at = Math.max(t, shard.readyAt);
    if (shard.owner === null) {
      this.#lease(at + 5, to, shard, "claimed", "unowned");
    } else {
      this.#events.push({
        type: "batch",
        t: at + 8,
        worker: shard.owner,
        shardId: shard.id,
        count: 0,
        readAt: at,
      });
      this.#lease(at + 12, shard.owner, shard, "handed-over", `even share, to ${to}`);
      this.#lease(at + 20, to, shard, "received", "handed over");
    }
    const first = at + this.#between(30, 300);
    this.#events.push({
      type: "batch",
      t: first + 5,
      worker: to,
      shardId: shard.id,
      count: 0,
      readAt: first,
    });
    shard.owner = to;
    shard.checkpoint = shard.next;
    shard.readyAt = first + 10;
  }

  #split(t: number): void {
    this.#mark(t, "phase", { phase: "split" });
    this.#mark(t, "split-requested", { from: this.#options.shards, to: this.#options.splitTo });
    const parents = this.#shards.slice(0, this.#options.splitTo - this.#options.shards);
    for (const [i, parent] of parents.entries()) {
      const at = t + 20 * i;
      const middle = (parent.from + parent.to) / 2;
      parent.closed = true;
      const leasedAt = at + this.#between(100, 800);
      const children = [
        this.#addShard(parent.from, middle, [parent.id], leasedAt),
        this.#addShard(middle, parent.to, [parent.id], leasedAt),
      ].map(({ id }) => id);
      this.#mark(at, "split-done", {
        children,
        parents: Object.fromEntries(children.map((id) => [id, [parent.id]])),
      });
    }
  }

  #kill(t: number): void {
    const victim = this.#workers.at(-1) as string;
    this.#dead = { worker: victim, at: t };
    this.#mark(t, "task-killed", { worker: victim });
  }

  #takeOver(t: number): void {
    const victim = this.#dead?.worker;
    const survivors = this.#workers.filter((name) => name !== victim);
    for (const shard of this.#live().filter(({ owner }) => owner === victim)) {
      const loads = survivors.toSorted(
        (a, b) =>
          this.#live().filter((s) => s.owner === a).length - this.#live().filter((s) => s.owner === b).length,
      );
      shard.owner = loads[0] as string;
      shard.next = shard.checkpoint;
      shard.readyAt = t + this.#between(100, 300);
      this.#lease(t + 10, shard.owner, shard, "claimed", `expired, was ${victim}`);
    }
    this.#workers = survivors;
  }

  #put(t: number): void {
    this.#due += (this.#options.rate * STEP_MILLIS) / 1_000;
    for (; this.#due >= 1; this.#due--) {
      const number = this.#between(0, this.#options.keys);
      const key = `key-${number}`;
      const place = (number + 0.5) / this.#options.keys;
      const shard = this.#shards.find((s) => !s.closed && s.from <= place && place < s.to) as Shard;
      const n = (this.#counters.get(key) ?? 0) + 1;
      this.#counters.set(key, n);
      this.#serial += 1;
      const stored = { key, n, sequenceNumber: `4967${String(this.#serial).padStart(52, "0")}` };
      shard.records.push(stored);
      this.#events.push({ type: "put", t: t + this.#between(1, 9), shardId: shard.id, ...stored });
    }
  }

  #read(shard: Shard, t: number): void {
    if (this.#blocked(shard) || t < shard.leasedAt || t < shard.readyAt) return;
    if (shard.owner === null && shard.parents.length > 0) this.#claimChild(shard, t);
    const { owner } = shard;
    if (owner === null || t < shard.readyAt || (this.#dead?.worker === owner && t >= this.#dead.at)) return;
    const readAt = t + 15;
    const done = readAt + this.#between(5, 40);
    const batch = shard.records.slice(shard.next);
    shard.readyAt = t + READ_EVERY_MILLIS;
    if (batch.length > 0) {
      for (const stored of batch)
        this.#events.push({ type: "record", t: done, worker: owner, shardId: shard.id, ...stored });
      this.#events.push({
        type: "batch",
        t: done,
        worker: owner,
        shardId: shard.id,
        count: batch.length,
        readAt,
      });
      shard.next = shard.records.length;
    }
    if (t - shard.checkpointedAt >= CHECKPOINT_EVERY_MILLIS) {
      shard.checkpoint = shard.next;
      shard.checkpointedAt = t;
    }
    const children = this.#shards.filter(({ parents }) => parents.includes(shard.id));
    if (!shard.closed || children.some(({ leasedAt }) => leasedAt > t)) return;
    shard.ended = true;
    shard.owner = null;
    this.#lease(done + 3, owner, shard, "completed", "read to its end");
    for (const child of children) child.readyAt = done + 20;
  }

  #claimChild(shard: Shard, t: number): void {
    const loads = this.#workers.toSorted(
      (a, b) =>
        this.#live().filter((s) => s.owner === a).length - this.#live().filter((s) => s.owner === b).length,
    );
    shard.owner = loads[0] as string;
    shard.readyAt = t + STEP_MILLIS;
    this.#lease(t + 5, shard.owner, shard, "claimed", "unowned");
  }

  #sample(t: number): void {
    const leases = this.#shards.filter(({ leasedAt }) => leasedAt <= t);
    const position = ({ ended, checkpoint, records }: Shard) =>
      ended ? "SHARD_END" : (records[checkpoint - 1]?.sequenceNumber ?? "TRIM_HORIZON");
    this.#events.push({
      type: "leases",
      t,
      owners: Object.fromEntries(leases.map(({ id, owner }) => [id, owner])),
      checkpoints: Object.fromEntries(leases.map((shard) => [shard.id, position(shard)])),
    });
  }
}

const worker = (number: number): string => `pod-${number}-${(0xc0ffee + number * 7919).toString(16)}`;
