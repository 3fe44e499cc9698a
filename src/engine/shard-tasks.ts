/**
 * The leases in this worker's hands: claiming them, and the task of each.
 *
 * S1: one effect a lease at a time: while a claim is under way, the lease is not touched again.
 * S2: a claim answered after this worker joined anew is not acted on: the row is ours by name only, and is claimed again
 *     under the new incarnation. One answered after the end is released.
 */

import type { Decisions, HeldLeaseFacts } from "../core/decide.ts";
import { actualOwner, type Lease } from "../core/lease.ts";
import { backoffMillis } from "../ports/random.ts";
import { forEachBounded } from "./bounded.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import { errorClassIn } from "./error-reports.ts";
import type { FleetPoller } from "./fleet-poller.ts";
import { ownLease } from "./held-lease.ts";
import { ShardTask, type ShardTaskDeps } from "./shard-task.ts";

/** A claim without an answer has the table read anew: one that fails again and again is made ever less often. */
const CLAIM_PAUSE_BASE_MILLIS = 100;
const CLAIM_PAUSE_CAP_MILLIS = 3_000;
/** A lease not claimed for so long is another's by now. Longer than the minute in which the others plan with no claim of ours. */
const FAILURE_KEPT_MILLIS = 120_000;
/** Claims under way at once: enough for a scale-out, few enough for two cores and the SDK's sockets. */
const MAX_CLAIMS_UNDER_WAY = 16;

export interface ShardTasksDeps extends ShardTaskDeps {
  readonly poller: FleetPoller;
  /** Something of ours is over: take another turn. */
  wakeUp(): void;
}

export class ShardTasks {
  readonly #ports: Ports;
  readonly #options: EngineOptions;
  readonly #deps: ShardTasksDeps;
  readonly #tasks = new Map<string, ShardTask>();
  /** Claims that may have happened: nobody has been told of them. */
  readonly #unanswered = new Set<string>();
  readonly #claiming = new Map<string, { readonly counter: number; readonly answered: Promise<void> }>();
  /** Claims that failed, in a row: how many, and when the next one may be made. */
  readonly #failed = new Map<string, { readonly times: number; readonly untilMillis: number }>();
  #closed = false;
  #lost = 0;

  constructor(ports: Ports, options: EngineOptions, deps: ShardTasksDeps) {
    this.#ports = ports;
    this.#options = options;
    this.#deps = deps;
  }

  /** Nothing is held and nothing is being claimed. */
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

  /** It is held, or being claimed. */
  has(leaseKey: string): boolean {
    return this.#tasks.has(leaseKey) || this.#claiming.has(leaseKey);
  }

  /** How many are held or being claimed. */
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

  /** A shard that is halted, or waits for a next try of its handler, tries at once. False: it does neither, or is not held. */
  resume(leaseKey: string): boolean {
    return this.#tasks.get(leaseKey)?.resume() ?? false;
  }

  /** Leases lost since this was last asked. */
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
        // It may have happened: only the table knows.
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

  /** `leaseRenewal: "lease"`: moves every counter that no other write has moved for so long. */
  async renew(everyMillis: number): Promise<void> {
    const now = this.#ports.clock.monotonicMillis();
    const due = this.all.filter((task) => now - task.owned.movedMillis >= everyMillis);
    await forEachBounded(due, async (task) => {
      if ((await task.owned.renew()) === "lost") task.markLost("a renewal was refused");
    });
  }

  /** Every task is told that its lease is lost, and awaited. */
  async markAllLost(reason: string): Promise<void> {
    for (const task of this.#tasks.values()) task.markLost(reason);
    await Promise.all(this.all.map((task) => task.done));
    for (const leaseKey of this.#failed.keys()) this.#forget(leaseKey);
  }

  #forget(leaseKey: string): void {
    this.#failed.delete(leaseKey);
    this.#deps.reports.forget("claiming", leaseKey);
  }

  /** No claim is begun any more; resolves when those under way are answered. */
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
    // S2. A stop whose budget was spent meanwhile leaves nothing in the name of who is gone.
    if (this.#closed) await this.#ports.store.release(outcome.lease, outcome.lease.checkpoint);
    else if (poller.membership.member.incarnation === incarnation)
      this.#hold(outcome.lease, reason, isChange);
  }

  /** Whose it is may not know: a row edited by hand moves no version. */
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
