/**
 * A worker on the same table that behaves like Java KCL 2.x. It is no member. It shows that it lives by
 * moving the counters of its leases, and takes leases that did not move for the failover time. It steals one
 * lease at a time from the owner of the most, without asking: the owner finds out at its next write. It
 * checkpoints after every batch.
 */
import type { Application } from "../../src/core/application.ts";
import { isEnded, isSentinel, type Lease } from "../../src/core/lease.ts";
import { childLease } from "../../src/core/shard-sync.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { LeaseStore, WriteOutcome } from "../../src/ports/lease-store.ts";
import type { Position, ReadResult, Shard, Stream } from "../../src/ports/stream.ts";
import type { History } from "./world/history.ts";
import type { Prng } from "./world/prng.ts";

export interface JavaWorkerDeps {
  readonly id: string;
  readonly store: LeaseStore;
  readonly stream: Stream;
  readonly clock: Clock;
  readonly history: History;
  readonly prng: Prng;
  readonly failoverTimeMillis: number;
}

interface Held {
  lease: Lease;
  /** When a write last moved the counter. A lease that is not renewed in time counts as lost. */
  movedMillis: number;
  queue: Promise<unknown>;
}

const IDLE_MILLIS = 1_000;
const MAX_RECORDS = 1_000;

/** A Java worker does not know the application row. */
const FROM_ITS_START: Application = {
  stream: undefined,
  initialPosition: "TRIM_HORIZON",
  startMillis: undefined,
  newestShardId: undefined,
  isNotedLate: true,
  isClearing: false,
};

export class JavaWorker {
  readonly #parts: JavaWorkerDeps;
  readonly #held = new Map<string, Held>();
  readonly #seen = new Map<string, { readonly token: string; readonly movedMillis: number }>();

  constructor(parts: JavaWorkerDeps) {
    this.#parts = parts;
  }

  /** Runs until its process is killed. */
  start(): void {
    const { failoverTimeMillis } = this.#parts;
    void this.#every(failoverTimeMillis / 3, () => this.#renew());
    void this.#every(2 * failoverTimeMillis, () => this.#take());
  }

  async #every(millis: number, act: () => Promise<void>): Promise<void> {
    for (;;) {
      // What fails is retried in the next iteration, like KCL's scheduled tasks.
      await act().catch(() => undefined);
      await this.#parts.clock.sleep(millis);
    }
  }

  async #renew(): Promise<void> {
    const renewals = [...this.#held.keys()].map((leaseKey) =>
      this.#write(leaseKey, (lease) => this.#parts.store.renew(lease)),
    );
    await Promise.allSettled(renewals);
  }

  async #take(): Promise<void> {
    const { store, id, prng } = this.#parts;
    const leases = (await store.list({ consistent: true })).leases.filter((lease) => !isEnded(lease));
    const free = leases.filter((lease) => this.#isFree(lease));
    const byOwner = new Map<string, Lease[]>([[id, []]]);
    for (const lease of leases) {
      if (lease.owner === undefined || free.includes(lease)) continue;
      byOwner.set(lease.owner, [...(byOwner.get(lease.owner) ?? []), lease]);
    }
    const target = Math.ceil(leases.length / byOwner.size);
    const wanted = target - byOwner.get(id)!.length;
    if (wanted <= 0) return;
    let taken = free.slice(0, wanted);
    if (free.length === 0) {
      const most = [...byOwner.values()].toSorted((a, b) => b.length - a.length)[0]!;
      taken = most.length > target ? [prng.pick(most)] : [];
    }
    for (const lease of taken) {
      const outcome = await store.claim(lease, id);
      if (outcome.kind === "ok") this.#hold(outcome.lease);
    }
  }

  #isFree(lease: Lease): boolean {
    const { clock, failoverTimeMillis, id } = this.#parts;
    const now = clock.monotonicMillis();
    const token = `${lease.owner}:${lease.counter}`;
    const known = this.#seen.get(lease.leaseKey);
    const movedMillis = known?.token === token ? known.movedMillis : now;
    this.#seen.set(lease.leaseKey, { token, movedMillis });
    if (lease.owner === undefined) return true;
    if (lease.owner === id && this.#held.has(lease.leaseKey)) return false;
    return now - movedMillis > failoverTimeMillis;
  }

  #hold(lease: Lease): void {
    const held = { lease, movedMillis: this.#parts.clock.monotonicMillis(), queue: Promise.resolve() };
    this.#held.set(lease.leaseKey, held);
    void this.#read(held);
  }

  #holds(held: Held): boolean {
    const { clock, failoverTimeMillis } = this.#parts;
    if (this.#held.get(held.lease.leaseKey) !== held) return false;
    if (clock.monotonicMillis() - held.movedMillis <= failoverTimeMillis) return true;
    this.#held.delete(held.lease.leaseKey);
    return false;
  }

  /** One write of a lease after another, each with the counter that the previous one left. */
  #write(leaseKey: string, act: (lease: Lease) => Promise<WriteOutcome>): Promise<boolean> {
    const held = this.#held.get(leaseKey);
    if (held === undefined) return Promise.resolve(false);
    const written = held.queue.then(async () => {
      if (!this.#holds(held)) return false;
      const sentMillis = this.#parts.clock.monotonicMillis();
      const outcome = await act(held.lease);
      if (outcome.kind === "ok") Object.assign(held, { lease: outcome.lease, movedMillis: sentMillis });
      else this.#held.delete(leaseKey);
      return outcome.kind === "ok";
    });
    held.queue = written.catch(() => undefined);
    return written;
  }

  async #read(held: Held): Promise<void> {
    const { stream, clock } = this.#parts;
    const { leaseKey, parentShardIds } = held.lease;
    let iterator: string | undefined;
    while (this.#holds(held)) {
      try {
        if (iterator === undefined && !(await this.#areDone(parentShardIds))) continue;
        iterator ??= await stream.iterator(leaseKey, positionOf(held.lease));
        const result = await stream.read(iterator, MAX_RECORDS);
        if (!this.#holds(held) || !(await this.#process(held, result))) return;
        iterator = result.nextIterator;
        if (iterator !== undefined) continue;
        const children = await this.#childrenOf(leaseKey, result.children);
        // As in KCL: an answer without a next iterator and without children is invalid, and the read is
        // retried.
        if (children.length > 0) return void (await this.#complete(held, children));
      } catch {
        // Reads again from the checkpoint with a new iterator. Records after the checkpoint are delivered
        // twice.
        iterator = undefined;
      } finally {
        await clock.sleep(IDLE_MILLIS);
      }
    }
  }

  async #areDone(parents: readonly string[]): Promise<boolean> {
    if (parents.length === 0) return true;
    const { leases, corrupt } = await this.#parts.store.list({ consistent: true });
    // KCL reads the parent's row, and retries when it cannot. Only a missing row does not block the child.
    if (corrupt.some(({ leaseKey }) => parents.includes(leaseKey))) return false;
    return leases.every((lease) => !parents.includes(lease.leaseKey) || isEnded(lease));
  }

  /** If the answer does not name the children, the listing does. */
  async #childrenOf(leaseKey: string, told: readonly Shard[] | undefined): Promise<readonly Shard[]> {
    const shards = told ?? (await this.#parts.stream.listShards());
    return shards.filter((shard) => shard.parentShardIds.includes(leaseKey));
  }

  async #process({ lease: { leaseKey: shardId } }: Held, { records }: ReadResult): Promise<boolean> {
    const { history, store, id: worker } = this.#parts;
    const last = records[records.length - 1];
    if (last === undefined) return true;
    const sequenceNumbers = records.map((record) => record.sequenceNumber);
    history.add({ type: "handled", worker, shardId, sequenceNumbers });
    const { sequenceNumber } = last;
    history.add({ type: "accepted", worker, shardId, sequenceNumber, named: true });
    return this.#write(shardId, (lease) => store.checkpoint(lease, { sequenceNumber, subSequenceNumber: 0 }));
  }

  /**
   * Creates the children's rows first. A merged child waits until both parents have rows, or it would be read
   * at once.
   */
  async #complete(held: Held, children: readonly Shard[]): Promise<void> {
    const { store, clock } = this.#parts;
    const { leaseKey } = held.lease;
    while (this.#holds(held)) {
      try {
        const rows = new Set((await store.list({ consistent: true })).leases.map((lease) => lease.leaseKey));
        if (children.every((child) => child.parentShardIds.every((parent) => rows.has(parent)))) {
          for (const child of children) await store.create(childLease(child, FROM_ITS_START));
          const ids = children.map((child) => child.shardId);
          await this.#write(leaseKey, (lease) => store.complete(lease, ids));
          this.#held.delete(leaseKey);
          return;
        }
      } catch {
        // The table is unreachable: retry after a pause.
      }
      await clock.sleep(IDLE_MILLIS);
    }
  }
}

const positionOf = ({ checkpoint }: Lease): Position =>
  isSentinel(checkpoint)
    ? { kind: "trim-horizon" }
    : { kind: "after-sequence-number", sequenceNumber: checkpoint.sequenceNumber };
