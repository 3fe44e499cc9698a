/**
 * One lease of this worker, from the claim until the lease is gone: runs the shard consumer, then writes the
 * lease's final row.
 *
 * Owns: the shard consumer and the last writes of the lease. Never does: choose the next owner.
 *
 * T1: a hand-over is written only after the consumer has drained. The old owner finishes what is in flight
 *     first.
 * T2: the rows of the children exist before the parent's SHARD_END is written.
 */
import type { Application } from "../core/application.ts";
import type { Checkpoint, Lease } from "../core/lease.ts";
import { childLease } from "../core/shard-sync.ts";
import { type Shard, StreamError } from "../ports/stream.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import type { ErrorReports, ErrorSource } from "./error-reports.ts";
import type { OwnedLease } from "./held-lease.ts";
import { HALTED_RETRY_MILLIS } from "./reader/failing-batch.ts";
import { HANDLER_GRACE_MILLIS } from "./reader/handler-call.ts";
import type { ShardConsumer, ShardOutcome, ShardStatus } from "./reader/shard-consumer.ts";
import { retryUntilAborted } from "./retry-until-aborted.ts";
import { settledWithin } from "./settled-within.ts";

export type TaskPhase =
  | { readonly kind: "reading" }
  | { readonly kind: "handing-over"; readonly to: string; readonly reason: string }
  | { readonly kind: "releasing"; readonly reason: string }
  | { readonly kind: "completing" }
  | { readonly kind: "gone" };

export interface ShardTaskDeps {
  readonly ports: Pick<Ports, "store" | "stream" | "clock" | "random" | "logger">;
  readonly options: Pick<EngineOptions, "hooks" | "observe">;
  readonly reports: ErrorReports;
  startConsumer(owned: OwnedLease): ShardConsumer;
  /** The worker that the newest plan gives the lease to. Undefined: this worker (or no worker). */
  targetOf(leaseKey: string): string | undefined;
  row(leaseKey: string): Lease | undefined;
  /** Creates every row that the stream's shards need and the table lacks. */
  syncShards(): Promise<readonly Shard[]>;
  /** Notes that the row exists, whichever worker created it. */
  saw(lease: Lease): void;
  /** The cache may be wrong: scan the table. */
  distrust(): void;
  /** Where children begin. */
  application(): Application;
  /** The lease was handed over, ended or lost: all workers should scan. */
  changed(): void;
}

export class ShardTask {
  readonly #owned: OwnedLease;
  readonly #deps: ShardTaskDeps;
  readonly #lost = new AbortController();
  #consumer: ShardConsumer;
  #phase: TaskPhase = { kind: "reading" };
  /** Resolves when the lease is no longer this worker's. Never rejects. */
  readonly done: Promise<"gone" | "lost">;

  constructor(owned: OwnedLease, deps: ShardTaskDeps) {
    this.#owned = owned;
    this.#deps = deps;
    this.#consumer = deps.startConsumer(owned);
    this.done = this.#run();
  }

  get owned(): OwnedLease {
    return this.#owned;
  }

  get phase(): TaskPhase["kind"] {
    return this.#phase.kind;
  }

  /** Recipient of a hand-over in progress. */
  get goesTo(): string | undefined {
    return this.#phase.kind === "handing-over" ? this.#phase.to : undefined;
  }

  status(): ShardStatus {
    return this.#consumer.status();
  }

  handOver(to: string, reason: string): void {
    if (this.#phase.kind !== "reading") return;
    this.#phase = { kind: "handing-over", to, reason };
    this.#consumer.drain();
  }

  release(reason: string): void {
    if (this.#phase.kind !== "reading") return;
    this.#phase = { kind: "releasing", reason };
    this.#consumer.drain();
  }

  /** Makes a shard try at once if it is halted or waits to retry its handler. False: it does neither. */
  resume(): boolean {
    return this.#consumer.resume();
  }

  /** The stop budget is spent: stops at once, and releases the lease at the last known progress. */
  async forceRelease(reason: string): Promise<void> {
    const { checkpoint } = this.status();
    this.markLost(reason);
    await this.#owned.release(checkpoint);
  }

  /** The lease belongs to another worker, or must be treated so: stops at once and writes nothing more. */
  markLost(reason: string): void {
    if (this.#lost.signal.aborted || this.#phase.kind === "gone") return;
    this.#lost.abort(reason);
    this.#consumer.stop();
  }

  async #run(): Promise<"gone" | "lost"> {
    for (;;) {
      const written = await this.#lap().catch((error: unknown) => this.#broke(error));
      if (written === "gone") return "gone";
      // A kept lease may also be lost while its checkpoint is being written.
      if (written === "lost" || this.#lost.signal.aborted) return this.#wasLost();
      this.#phase = { kind: "reading" };
      this.#consumer = this.#deps.startConsumer(this.#owned);
    }
  }

  /**
   * Runs one consumer until it ends, and acts on the outcome. "kept": the lease is still this worker's and is
   * read again.
   */
  async #lap(): Promise<"gone" | "lost" | "kept"> {
    const outcome = await this.#consumer.finished;
    if (outcome.kind === "lost" || this.#lost.signal.aborted) return "lost";
    const written = await this.#conclude(outcome);
    if (written === "gone") this.#deps.changed();
    return written;
  }

  #conclude(outcome: Exclude<ShardOutcome, { kind: "lost" }>): Promise<"gone" | "lost" | "kept"> {
    switch (outcome.kind) {
      case "ended":
        return this.#complete(outcome.children);
      case "drained":
        return this.#concludeDrain(outcome.checkpoint);
      case "failed":
        return this.#keep(outcome.checkpoint);
    }
  }

  /**
   * Handles an unexpected error after the reading has ended. A lease that is still this worker's is kept, and
   * read again from its checkpoint after a pause. A lease that was handed over or released stays so.
   */
  async #broke(error: unknown): Promise<"gone" | "lost" | "kept"> {
    const { logger, clock } = this.#deps.ports;
    const shardId = this.#owned.leaseKey;
    if (this.#phase.kind === "gone") {
      logger.error(
        { err: error, shardId },
        "shard task failed after its lease was given away; nothing is lost",
      );
      return "gone";
    }
    logger.error(
      { err: error, shardId },
      `shard task failed; its lease is kept, and the shard is read again from its checkpoint in ${HALTED_RETRY_MILLIS / 1_000} s`,
    );
    this.#consumer.stop();
    await clock.sleep(HALTED_RETRY_MILLIS, this.#lost.signal);
    return this.#lost.signal.aborted ? "lost" : "kept";
  }

  async #keep(checkpoint: Checkpoint): Promise<"lost" | "kept"> {
    return (await this.#retryUntilAborted(() => this.#owned.checkpoint(checkpoint))) === "ok"
      ? "kept"
      : "lost";
  }

  async #concludeDrain(checkpoint: Checkpoint): Promise<"gone" | "lost" | "kept"> {
    const phase = this.#phase;
    const reason = "reason" in phase ? phase.reason : "drained";
    // The plan may have changed while the consumer drained.
    const to = phase.kind === "releasing" ? undefined : this.#deps.targetOf(this.#owned.leaseKey);
    if (phase.kind === "handing-over" && to === undefined) return this.#keep(checkpoint);
    const written = await this.#retryUntilAborted(() =>
      to === undefined ? this.#owned.release(checkpoint) : this.#owned.handOver(to, checkpoint),
    );
    if (written !== "ok") return "lost";
    this.#phase = { kind: "gone" };
    this.#emit(
      to === undefined ? "released" : "handed-over",
      to === undefined ? reason : `${reason}: to ${to}`,
    );
    return "gone";
  }

  async #complete(named: readonly Shard[] | undefined): Promise<"gone" | "lost"> {
    this.#phase = { kind: "completing" };
    const children = await this.#retryUntilAborted(() => this.#createChildren(named), "stream listing");
    if (children === undefined) return "lost";
    const written = await this.#retryUntilAborted(() => this.#owned.complete(children.map((c) => c.shardId)));
    if (written !== "ok") return "lost";
    this.#phase = { kind: "gone" };
    this.#emit("completed", `children ${children.map((c) => c.shardId).join(", ") || "none"}`);
    return "gone";
  }

  /**
   * T2. A merged child counts as runnable if its *other* parent has no row. If a parent's row is missing, the
   * whole stream is synced first.
   */
  async #createChildren(named: readonly Shard[] | undefined): Promise<readonly Shard[]> {
    const { leaseKey } = this.#owned;
    const isChild = (shard: Shard) => shard.parentShardIds.includes(leaseKey);
    const parents = new Set(named?.flatMap((child) => child.parentShardIds));
    const areThere = await Promise.all([...parents].map((parent) => this.#isThere(parent)));
    if (named === undefined || named.length === 0 || areThere.includes(false)) {
      const listed = await this.#deps.syncShards();
      const children = listed.filter(isChild);
      // A shard ends because it has children. A listing that has the shard but no child of it is stale.
      if (children.length === 0 && listed.some((s) => s.shardId === leaseKey)) {
        throw new StreamError("unavailable", `the stream lists no child of the ended shard ${leaseKey} yet`);
      }
      return children;
    }
    for (const child of named) {
      if (this.#deps.row(child.shardId) !== undefined) continue;
      const lease = childLease(child, this.#deps.application());
      await this.#deps.ports.store.create(lease);
      // The row exists from now on, whether this call created it or not.
      this.#saw(lease);
    }
    return named;
  }

  /** The fleet cache of a worker that follows has only its own rows, so the table is asked too. */
  async #isThere(leaseKey: string): Promise<boolean> {
    if (this.#deps.row(leaseKey) !== undefined) return true;
    const row = await this.#deps.ports.store.read(leaseKey);
    if (row !== undefined) this.#saw(row);
    return row !== undefined;
  }

  /**
   * A cached row without its parents' rows would be read at once (L3). In that case the table is scanned
   * instead (seed 941703).
   */
  #saw(lease: Lease): void {
    const isWhole = lease.parentShardIds.every((parent) => this.#deps.row(parent) !== undefined);
    if (isWhole) this.#deps.saw(lease);
    else this.#deps.distrust();
  }

  async #wasLost(): Promise<"lost"> {
    this.#phase = { kind: "gone" };
    const { reason } = this.#lost.signal;
    this.#lost.abort();
    this.#emit("lost", typeof reason === "string" ? reason : "a fenced write was refused");
    // The row in the refusal may have changed again since. This worker's own bump does not make it scan, so
    // the cache is distrusted.
    this.#deps.distrust();
    this.#deps.changed();
    await this.#notifyLeaseLost();
    return "lost";
  }

  /**
   * Calls the `leaseLost` hook and waits for it, as for a handler that was notified of the loss. The same
   * worker can then take the lease again without overlap. The wait is limited: a worker that was marked dead
   * joins again after it.
   */
  async #notifyLeaseLost(): Promise<void> {
    const { options, ports } = this.#deps;
    const { leaseKey } = this.#owned;
    const { leaseLost } = options.hooks;
    if (leaseLost === undefined) return;
    const failed = (error: unknown) =>
      ports.logger.error({ err: error, shardId: leaseKey }, "leaseLost hook failed");
    const ended = (async () => leaseLost({ shardId: leaseKey }))().catch(failed);
    if ((await settledWithin(ports.clock, ended, HANDLER_GRACE_MILLIS)) === "still running") {
      const limit = `leaseLost did not finish within ${HANDLER_GRACE_MILLIS} ms; the worker goes on without it`;
      failed(new Error(limit));
    }
  }

  #retryUntilAborted<T>(act: () => Promise<T>, source: ErrorSource = "lease table"): Promise<T | undefined> {
    const { ports, reports } = this.#deps;
    return retryUntilAborted(act, {
      ...ports,
      reports,
      source,
      subject: this.#owned.leaseKey,
      signal: this.#lost.signal,
    });
  }

  #emit(action: "handed-over" | "released" | "completed" | "lost", reason: string): void {
    const { clock, logger } = this.#deps.ports;
    const { leaseKey } = this.#owned;
    this.#deps.options.observe({ type: "lease", leaseKey, action, reason, atMillis: clock.wallMillis() });
    logger[action === "lost" ? "warn" : "info"]({ shardId: leaseKey, reason }, `lease ${action}`);
  }
}
