/**
 * The leader's work for the whole fleet: lists shards, creates missing rows, removes rows that are no longer
 * needed, and publishes the state of the fleet. Everything is idempotent, so two leaders for a moment do no
 * harm.
 */

import type { Application } from "../core/application.ts";
import type { FleetSummary } from "../core/decide.ts";
import type { Lease } from "../core/lease.ts";
import { completedLeases, missingLeases, uncovered } from "../core/shard-sync.ts";
import { StoreUnavailableError } from "../ports/lease-store.ts";
import { backoffMillis } from "../ports/random.ts";
import type { Shard } from "../ports/stream.ts";
import { forEachBounded } from "./bounded.ts";
import type { Ports } from "./engine-context.ts";
import type { FleetCache } from "./fleet-cache.ts";
import { Reminders } from "./reminders.ts";
import type { IdentifiedStream } from "./stream-identity.ts";

/** KCL's `leaseCleanupIntervalMillis`. A completed row costs only its part of every scan. */
const CLEANUP_INTERVAL_MILLIS = 60_000;
/**
 * A hole must be found this often in a row before it is logged: a listing may lag behind a reshard (KCL's
 * confidence threshold).
 */
const HOLE_CONFIDENCE = 3;
/**
 * ListShards allows 1,000 calls a second per account, but ten splits in a row must not cause a hundred calls.
 */
const MIN_SYNC_SPACING_MILLIS = 200;
/**
 * Backoff after a failed listing. At most twice the default interval, so that children do not wait for it.
 */
const BACKOFF_BASE_MILLIS = 500;
const BACKOFF_CAP_MILLIS = 10_000;

const SPILLOVER = "spillover";

export interface LeaderOptions {
  readonly shardSyncIntervalMillis: number;
}

type LeaderPorts = Pick<Ports, "store" | "clock" | "random" | "logger" | "metrics"> & {
  readonly stream: IdentifiedStream;
};

export class LeaderDuties {
  readonly #ports: LeaderPorts;
  readonly #cache: FleetCache;
  readonly #options: LeaderOptions;
  #syncedMillis = Number.NEGATIVE_INFINITY;
  #syncedRequests = -1;
  /** Failed listings in a row, and when the next one may be made. */
  #failures = 0;
  #allowedMillis = Number.NEGATIVE_INFINITY;
  #cleanedMillis: number;
  #holesInARow = 0;
  #spilledBefore = 0;
  readonly #reminders = new Reminders();
  #application: Application | undefined;

  constructor(ports: LeaderPorts, cache: FleetCache, options: LeaderOptions) {
    this.#ports = ports;
    this.#cache = cache;
    this.#options = options;
    this.#cleanedMillis = ports.clock.monotonicMillis();
  }

  /** Sets what every missing row begins with, and binds the stream. */
  began(application: Application): void {
    this.#application = application;
    this.#ports.stream.bind(application.stream);
  }

  /** Undefined: not read yet. */
  get begun(): Application | undefined {
    return this.#application;
  }

  get application(): Application {
    if (this.#application === undefined) throw new Error("the application's beginning is not read yet");
    return this.#application;
  }

  /** A worker that leads again syncs at once: the stream may have changed meanwhile. */
  resigned(): void {
    this.#syncedMillis = Number.NEGATIVE_INFINITY;
  }

  syncIsDue(nowMillis: number): boolean {
    const since = nowMillis - this.#syncedMillis;
    if (since < MIN_SYNC_SPACING_MILLIS || nowMillis < this.#allowedMillis) return false;
    return (
      since >= this.#options.shardSyncIntervalMillis || this.#cache.shardSyncRequests !== this.#syncedRequests
    );
  }

  cleanupIsDue(nowMillis: number): boolean {
    return (
      nowMillis - this.#cleanedMillis >= CLEANUP_INTERVAL_MILLIS &&
      completedLeases(this.#cache.table, "may-have-started").length > 0
    );
  }

  /** @returns the shards listed, and how many rows were created */
  async syncShards(): Promise<{ readonly shards: readonly Shard[]; readonly created: number }> {
    const requests = this.#cache.shardSyncRequests;
    const startedMillis = this.#ports.clock.monotonicMillis();
    const shards = await this.#list();
    let created = 0;
    const { unreadable } = this.#cache;
    const missing = missingLeases(shards, this.#cache.table, this.application)
      .map((generation) => generation.filter((lease) => !unreadable.has(lease.leaseKey)))
      .filter((generation) => generation.length > 0);
    if (missing.length > 0) {
      await this.#ports.stream.confirm();
      await this.#checkThatNothingChanged();
    }
    for (const generation of missing) {
      const outcomes = await forEachBounded(generation, (lease) => this.#create(lease));
      created += outcomes.filter((outcome) => outcome === "created").length;
    }
    this.#syncedMillis = startedMillis;
    this.#syncedRequests = requests;
    this.#auditHoles(shards);
    return { shards, created };
  }

  async #list(): Promise<readonly Shard[]> {
    const { stream, clock, random } = this.#ports;
    try {
      const shards = await stream.listShards();
      this.#failures = 0;
      return shards;
    } catch (error) {
      this.#failures += 1;
      const pause = backoffMillis(this.#failures, random, BACKOFF_BASE_MILLIS, BACKOFF_CAP_MILLIS);
      this.#allowedMillis = clock.monotonicMillis() + pause;
      throw error;
    }
  }

  /**
   * Writes the application row again after it was deleted: by Java KCL's clean-up of rows whose shards are
   * gone, or by a person. The fleet keeps the beginning that it knows. To begin anew, stop the fleet first.
   */
  async restoreApplication(): Promise<void> {
    this.began(await this.#ports.store.createApplication(this.application));
    this.#cache.hasApplication = true;
    this.#ports.logger.warn({}, "the application's row was deleted by another hand: it is written again");
  }

  /**
   * The table must have been scanned just before: children start without a notification.
   * @returns how many rows were removed
   */
  async cleanUp(): Promise<number> {
    this.#cleanedMillis = this.#ports.clock.monotonicMillis();
    const outcomes = await forEachBounded(completedLeases(this.#cache.table), async (lease) => {
      const outcome = await this.#ports.store.remove(lease);
      if (outcome === "removed") this.#cache.removed(lease.leaseKey);
      return outcome;
    });
    return outcomes.filter((outcome) => outcome === "removed").length;
  }

  publish(fleet: FleetSummary): void {
    const dimensions = { Operation: "LeaseAssignment" };
    // Caps follow a reshard or a stop with a short delay. A spillover in one listing that is gone in the next
    // raises no alarm.
    const spilled = Math.min(fleet.spilled, this.#spilledBefore);
    this.#spilledBefore = fleet.spilled;
    this.#ports.metrics.record("UnownedShards", fleet.unowned, "Count", dimensions);
    this.#ports.metrics.record("LeaseImbalance", fleet.imbalance, "Count", dimensions);
    this.#ports.metrics.record("LeaseSpillover", spilled, "Count", dimensions);
    this.#ports.metrics.record("TotalLeases", fleet.runnable, "Count", dimensions);
    this.#ports.metrics.record("NumWorkers", fleet.workers, "Count", dimensions);
    if (spilled === 0) this.#reminders.isOver(SPILLOVER);
    else if (this.#reminders.isDue(SPILLOVER, this.#ports.clock.monotonicMillis())) {
      this.#ports.logger.error(
        { spilled, workers: fleet.workers, runnable: fleet.runnable },
        "maxLeasesForWorker × workers is less than the number of shards: shards stay unread; raise the cap or add workers",
      );
    }
  }

  /** A process that was paused meanwhile would create rows for an old stream and an old table (seed 347). */
  async #checkThatNothingChanged(): Promise<void> {
    const first = await this.#ports.store.readFleet(0, { consistent: true });
    if (first?.version === this.#cache.scannedFleetVersion) return;
    this.#cache.scannedFleetVersion = -1;
    throw new StoreUnavailableError("the leases changed while shards were listed");
  }

  async #create(lease: Lease): Promise<"created" | "exists"> {
    const outcome = await this.#ports.store.create(lease);
    // A row that exists without having been read (created by another leader, or by this worker with a lost
    // response) must be in the cache from now on. Otherwise a child of it would be read at once (L3). The
    // next scan shows its progress.
    this.#cache.wrote(lease);
    if (outcome === "exists") this.#cache.scannedFleetVersion = -1;
    return outcome;
  }

  #auditHoles(shards: readonly Shard[]): void {
    const missing = uncovered(shards, this.#cache.table);
    this.#holesInARow = missing.length > 0 ? this.#holesInARow + 1 : 0;
    if (this.#holesInARow === HOLE_CONFIDENCE) {
      this.#ports.logger.error(
        { ranges: missing.slice(0, 5).map((r) => `${r.start}-${r.end}`) },
        "no lease covers part of the key space although every listed shard has one: were lease rows deleted by hand?",
      );
    }
  }
}
