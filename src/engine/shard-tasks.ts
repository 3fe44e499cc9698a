/**
 * The leases that this worker holds or is claiming: makes the claims, and runs one task for each held lease.
 *
 * S1: at most one action for a lease at a time. While a claim is in flight, the lease is not touched again.
 * S2: a claim answered after this worker rejoined is ignored. The row has this worker's id, but no task; it
 *     is claimed again under the new incarnation. A claim answered after `close()` is released.
 */

import type { Decisions } from "../core/decide.ts";
import type { HeldLeaseFacts } from "../core/facts.ts";
import { actualOwner, type Lease } from "../core/lease.ts";
import { backoffMillis } from "../ports/random.ts";
import { forEachBounded } from "./bounded.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import { errorClassIn } from "./error-reports.ts";
import type { FleetPoller } from "./fleet-poller.ts";
import { ownLease } from "./held-lease.ts";
import { ShardTask, type ShardTaskDeps } from "./shard-task.ts";

/**
 * Pauses after claims without a response. Each makes the table be scanned, so repeated failures become ever
 * rarer.
 */
const CLAIM_PAUSE_BASE_MILLIS = 100;
const CLAIM_PAUSE_CAP_MILLIS = 3_000;
/**
 * After this time without a claim, the lease has another owner. Longer than the minute for which other
 * workers pass over this one.
 */
const FAILURE_KEPT_MILLIS = 120_000;
/** Enough for a scale-out, few enough for two cores and the SDK's sockets. */
const MAX_CLAIMS_UNDER_WAY = 16;

export interface ShardTasksDeps extends ShardTaskDeps {
  readonly poller: FleetPoller;
  /** A claim or a task has ended: run another iteration of the loop. */
  wakeUp(): void;
}

export class ShardTasks {
  readonly #ports: Ports;
  readonly #options: EngineOptions;
  readonly #deps: ShardTasksDeps;
  readonly #tasks = new Map<string, ShardTask>();
  /** Claims without a response. They may have happened, and no other worker has been notified of them. */
  readonly #unanswered = new Set<string>();
  readonly #claiming = new Map<string, { readonly counter: number; readonly answered: Promise<void> }>();
  /** By lease: failed claims in a row, and when the next claim may be made. */
  readonly #failed = new Map<string, { readonly times: number; readonly untilMillis: number }>();
  #closed = false;
  #lost = 0;

  constructor(ports: Ports, options: EngineOptions, deps: ShardTasksDeps) {
    this.#ports = ports;
    this.#options = options;
    this.#deps = deps;
  }

  get areNone(): boolean {
    return this.count === 0;
  }

  get isClaiming(): boolean {
    return this.#claiming.size > 0;
  }

  get all(): readonly ShardTask[] {
    return [...this.#tasks.values()];
  }

  facts(): Map<string, HeldLeaseFacts> {
    const facts = new Map<string, HeldLeaseFacts>();
    for (const [leaseKey, { counter }] of this.#claiming) facts.set(leaseKey, { counter, phase: "claiming" });
    for (const [leaseKey, task] of this.#tasks) {
      const phase = task.phase === "reading" ? "reading" : "busy";
      facts.set(leaseKey, { counter: task.owned.lease.counter, phase, to: task.goesTo });
    }
    return facts;
  }

  /** Whether the lease is held or being claimed. */
  has(leaseKey: string): boolean {
    return this.#tasks.has(leaseKey) || this.#claiming.has(leaseKey);
  }

  /** How many leases are held or being claimed. */
  get count(): number {
    return this.#tasks.size + this.#claiming.size;
  }

  get(leaseKey: string): ShardTask | undefined {
    return this.#tasks.get(leaseKey);
  }

  perform({ stop, claim, handOver, release }: Decisions): void {
    const now = this.#ports.clock.monotonicMillis();
    for (const [leaseKey, { untilMillis }] of this.#failed)
      if (now - untilMillis > FAILURE_KEPT_MILLIS) this.#forget(leaseKey);
    for (const { leaseKey, reason } of stop) this.get(leaseKey)?.markLost(reason);
    for (const { lease, reason } of claim) this.claim(lease, reason);
    for (const { leaseKey, to, reason } of handOver) this.get(leaseKey)?.handOver(to, reason);
    for (const { leaseKey } of release) this.get(leaseKey)?.release("stopping, and nobody has room for it");
  }

  /**
   * Makes a shard try at once if it is halted or waits to retry its handler. False: it does neither, or is
   * not held.
   */
  resume(leaseKey: string): boolean {
    return this.#tasks.get(leaseKey)?.resume() ?? false;
  }

  /** Leases lost since the last call. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  claim(lease: Lease, reason: string): void {
    const { leaseKey } = lease;
    if (this.#closed || this.#claiming.has(leaseKey) || this.#tasks.has(leaseKey)) return;
    if (this.#claiming.size >= MAX_CLAIMS_UNDER_WAY) return;
    const { clock } = this.#ports;
    if (clock.monotonicMillis() < (this.#failed.get(leaseKey)?.untilMillis ?? 0)) return;
    const answered = this.#attempt(lease, reason)
      .then(() => {
        if (this.#failed.delete(leaseKey)) this.#deps.reports.recovered("claiming", leaseKey);
      })
      .catch((error: unknown) => {
        // The claim may have happened: only the table knows.
        this.#deps.poller.distrust();
        this.#unanswered.add(leaseKey);
        const times = (this.#failed.get(leaseKey)?.times ?? 0) + 1;
        const pause = backoffMillis(
          times,
          this.#ports.random,
          CLAIM_PAUSE_BASE_MILLIS,
          CLAIM_PAUSE_CAP_MILLIS,
        );
        this.#failed.set(leaseKey, { times, untilMillis: clock.monotonicMillis() + pause });
        this.#deps.reports.failed("claiming", errorClassIn(error), error, leaseKey);
      })
      .finally(() => {
        this.#claiming.delete(leaseKey);
        this.#deps.wakeUp();
      });
    this.#claiming.set(leaseKey, { counter: lease.counter, answered });
  }

  /** For `leaseRenewal: "lease"`: moves every counter that no other write has moved for this long. */
  async renew(everyMillis: number): Promise<void> {
    const now = this.#ports.clock.monotonicMillis();
    const due = this.all.filter((task) => now - task.owned.movedMillis >= everyMillis);
    await forEachBounded(due, async (task) => {
      if ((await task.owned.renew()) === "lost") task.markLost("a renewal was refused");
    });
  }

  /** Marks every lease as lost, and waits for all tasks to end. */
  async markAllLost(reason: string): Promise<void> {
    for (const task of this.#tasks.values()) task.markLost(reason);
    await Promise.all(this.all.map((task) => task.done));
    for (const leaseKey of this.#failed.keys()) this.#forget(leaseKey);
  }

  #forget(leaseKey: string): void {
    this.#failed.delete(leaseKey);
    this.#deps.reports.forget("claiming", leaseKey);
  }

  /** Starts no more claims. Resolves when the claims in flight are answered. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#claiming.values()].map(({ answered }) => answered));
  }

  async #attempt(lease: Lease, reason: string): Promise<void> {
    const { poller } = this.#deps;
    const { incarnation } = poller.membership.member;
    const outcome = await this.#ports.store.claim(lease, this.#options.workerId);
    const isChange = this.#unanswered.delete(lease.leaseKey) || reason !== "received";
    if (outcome.kind === "lost") {
      if (outcome.current) this.#isAnothers(outcome.current);
      else poller.distrust();
      return;
    }
    poller.cache.wrote(outcome.lease);
    // S2. If the stop budget was spent meanwhile, no row may keep the id of a worker that is gone.
    if (this.#closed) await this.#ports.store.release(outcome.lease, outcome.lease.checkpoint);
    else if (poller.membership.member.incarnation === incarnation)
      this.#hold(outcome.lease, reason, isChange);
  }

  /**
   * The owner may not know that the lease is its own: an edit by hand does not move the fleet version. The
   * bump makes it scan.
   */
  #isAnothers(row: Lease): void {
    const { cache } = this.#deps.poller;
    cache.wrote(row);
    const owner = actualOwner(row);
    if (owner !== this.#options.workerId && cache.members().some(({ workerId }) => workerId === owner))
      this.#deps.poller.wantBump();
  }

  #hold(lease: Lease, reason: string, isChange: boolean): void {
    const { clock, store, logger } = this.#ports;
    const { leaseKey } = lease;
    const { poller } = this.#deps;
    const wrote = (row: Lease | undefined) =>
      row === undefined ? poller.distrust() : poller.cache.wrote(row);
    const task = new ShardTask(
      ownLease(store, lease, () => clock.monotonicMillis(), wrote, reason === "owner-gone"),
      this.#deps,
    );
    this.#tasks.set(leaseKey, task);
    const action = reason === "received" ? "received" : "claimed";
    this.#options.observe({ type: "lease", leaseKey, action, reason, atMillis: clock.wallMillis() });
    logger.info(
      { shardId: leaseKey, reason, checkpoint: lease.checkpoint.sequenceNumber },
      `lease ${action}`,
    );
    if (isChange) this.#deps.changed();
    void task.done.then((end) => {
      if (end === "lost") this.#lost += 1;
      this.#tasks.delete(leaseKey);
      this.#deps.wakeUp();
    });
  }
}
