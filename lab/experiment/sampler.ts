/**
 * Samples a running deployment and writes the result into the history: every lease at least every 250 ms, and
 * shards when the stream lists them. Phases wait here for their expected states.
 */

import type { HistoryEvent } from "../../services/contract/history.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { StreamShard } from "../aws/stream.ts";
import { CommandError, Interrupted, messageOf } from "../errors.ts";
import type { LeaseTable } from "../fleet/lease-table.ts";
import { type FleetState, fleetState, type Snapshot } from "../fleet/state.ts";
import type { Flow } from "../history/tail.ts";

export interface Sources {
  readonly leases: Pick<LeaseTable, "snapshot">;
  readonly listShards: () => Promise<readonly StreamShard[]>;
  readonly flow: () => Promise<Flow>;
}

export interface Sample {
  readonly fleet: FleetState;
  readonly snapshot: Snapshot;
  readonly flow: Flow;
}

export interface Condition {
  /** The condition in words: "7/7/6". */
  readonly what: string;
  readonly timeoutMillis: number;
  /** The condition must hold this long without a break. */
  readonly stableMillis?: number;
  readonly holds: (sample: Sample) => boolean;
}

export type WaitResult =
  | { readonly seen: true; readonly at: number }
  /**
   * `instead`: the newest sample when the time was up. `unsteady`: the condition held, but not long enough.
   */
  | { readonly seen: false; readonly instead: Sample | undefined; readonly unsteady: boolean };

/** The goals are about a second; this resolves a tenth of that. A sample is one scan of the lease table. */
const SAMPLE_MILLIS = 100;
const SHARD_POLL_MILLIS = 200;
/** A sampler that reads nothing for this long ends the experiment: nothing could be proved. */
const BLIND_MILLIS = 10_000;

export class Sampler {
  readonly #sources: Sources;
  readonly #write: (event: HistoryEvent) => void;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  readonly #loops: Promise<void>[] = [];
  readonly #knownShards = new Set<string>();
  readonly #onSample: (sample: Sample) => void;
  #newest: Sample | undefined;
  #failure: Error | undefined;
  #onFailure: (error: Error) => void = () => undefined;
  /** Rejects when the lease table can no longer be read. Never resolves. */
  readonly failed: Promise<never>;
  #wake: () => void = () => undefined;
  #changed: Promise<void> = Promise.resolve();

  constructor(
    sources: Sources,
    write: (event: HistoryEvent) => void,
    clock: Clock,
    onSample: (sample: Sample) => void,
  ) {
    this.#sources = sources;
    this.#write = write;
    this.#clock = clock;
    this.#onSample = onSample;
    this.failed = new Promise((_, reject) => {
      this.#onFailure = reject;
    });
    this.failed.catch(() => undefined); // a caller waiting in `until` gets the failure there
    this.#renewChanged();
  }

  get latest(): Sample | undefined {
    return this.#newest;
  }

  start(): void {
    this.#loops.push(this.#sampleLeases());
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await Promise.all(this.#loops);
  }

  /** Records the shards that already exist, so that they do not count as new children. */
  async noteShards(): Promise<void> {
    for (const shard of await this.#sources.listShards()) this.#knownShards.add(shard.shardId);
  }

  /**
   * Writes `split-done` for each newly listed shard, until the stream has `open` open shards or `signal`
   * aborts.
   */
  async watchShards(open: number, signal: AbortSignal): Promise<void> {
    const both = AbortSignal.any([signal, this.#stopping.signal]);
    while (!both.aborted) {
      const t = this.#clock.wallMillis();
      const shards = await this.#sources.listShards();
      const fresh = shards.filter((shard) => !this.#knownShards.has(shard.shardId));
      for (const shard of fresh) this.#knownShards.add(shard.shardId);
      if (fresh.length > 0)
        this.#write({
          type: "event",
          t,
          name: "split-done",
          children: fresh.map((shard) => shard.shardId),
          parents: Object.fromEntries(fresh.map((shard) => [shard.shardId, shard.parents])),
        });
      if (shards.filter((shard) => shard.open).length === open) return;
      await this.#clock.sleep(SHARD_POLL_MILLIS, both);
    }
  }

  /**
   * Waits, with a time limit, until the condition holds. `at`: the start of the unbroken time in which it
   * held.
   */
  async until(wanted: Condition, signal: AbortSignal): Promise<WaitResult> {
    const deadline = this.#clock.monotonicMillis() + wanted.timeoutMillis;
    let since: { readonly wall: number; readonly monotonic: number } | undefined;
    for (;;) {
      if (signal.aborted) throw new Interrupted(wanted.what);
      if (this.#failure) throw this.#failure;
      const now = this.#clock.monotonicMillis();
      if (this.#newest && wanted.holds(this.#newest)) {
        since ??= { wall: this.#newest.fleet.t, monotonic: now };
        if (now - since.monotonic >= (wanted.stableMillis ?? 0)) return { seen: true, at: since.wall };
      } else since = undefined;
      if (now >= deadline) return { seen: false, instead: this.#newest, unsteady: since !== undefined };
      await Promise.race([this.#changed, this.#clock.sleep(SAMPLE_MILLIS, signal)]);
    }
  }

  async #sampleLeases(): Promise<void> {
    let blindSince: number | undefined;
    while (!this.#stopping.signal.aborted) {
      const startedAt = this.#clock.monotonicMillis();
      try {
        const snapshot = await this.#sources.leases.snapshot();
        this.#write(leasesLine(snapshot));
        this.#newest = { snapshot, fleet: fleetState(snapshot), flow: await this.#sources.flow() };
        blindSince = undefined;
        this.#onSample(this.#newest);
      } catch (error) {
        blindSince ??= startedAt;
        if (startedAt - blindSince > BLIND_MILLIS) {
          this.#failure = new CommandError(`the lease table cannot be read any more: ${messageOf(error)}`);
          this.#onFailure(this.#failure);
          return this.#wake();
        }
      }
      this.#wake();
      this.#renewChanged();
      const spent = this.#clock.monotonicMillis() - startedAt;
      await this.#clock.sleep(Math.max(0, SAMPLE_MILLIS - spent), this.#stopping.signal);
    }
  }

  #renewChanged(): void {
    this.#changed = new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function leasesLine(snapshot: Snapshot): HistoryEvent {
  return {
    type: "leases",
    t: snapshot.t,
    owners: Object.fromEntries(snapshot.leases.map((lease) => [lease.leaseKey, lease.owner ?? null])),
    checkpoints: Object.fromEntries(
      snapshot.leases.map((lease) => [lease.leaseKey, lease.checkpoint.sequenceNumber]),
    ),
  };
}
