/**
 * One lease in this worker's hands, from the claim to the moment it is gone.
 *
 * Owns: the shard consumer and the lease's last writes. Never does: choose who gets the lease.
 * T1: a hand-over is written only after the consumer drained: what the old owner has in hand is finished first.
 * T2: children's rows exist before the parent's SHARD_END is written.
 */
import type { Application } from "../core/application.ts";
import type { Checkpoint, Lease } from "../core/lease.ts";
import { childLease } from "../core/shard-sync.ts";
import { type Shard, StreamError } from "../ports/stream.ts";
import type { EngineOptions, Ports } from "./engine-context.ts";
import type { OwnedLease } from "./held-lease.ts";
import { persist } from "./persist.ts";
import type { ShardConsumer, ShardStatus } from "./shard-consumer.ts";

const MAX_CHILDLESS_LISTINGS = 10;

export type TaskPhase =
  | { readonly kind: "reading" }
  | { readonly kind: "handing-over"; readonly to: string; readonly reason: string }
  | { readonly kind: "releasing"; readonly reason: string }
  | { readonly kind: "completing" }
  | { readonly kind: "gone" };

export interface ShardTaskSurroundings {
  readonly ports: Pick<Ports, "store" | "stream" | "clock" | "random" | "logger">;
  readonly options: Pick<EngineOptions, "hooks" | "observe">;
  startConsumer(owned: OwnedLease): ShardConsumer;
  /** Where the newest plan wants the lease; undefined: here (or nowhere). */
  targetOf(leaseKey: string): string | undefined;
  row(leaseKey: string): Lease | undefined;
  /** Creates every row the stream asks for and the table lacks. */
  syncShards(): Promise<readonly Shard[]>;
  created(lease: Lease): void;
  /** Where children begin. */
  application(): Application;
  /** The lease changed hands, ended or was lost: everybody should look. */
  changed(): void;
}

export class ShardTask {
  readonly #owned: OwnedLease;
  readonly #around: ShardTaskSurroundings;
  readonly #lost = new AbortController();
  #childlessListings = 0;
  #consumer: ShardConsumer;
  #phase: TaskPhase = { kind: "reading" };
  /** Resolves when the lease is no longer this worker's. Never rejects. */
  readonly done: Promise<"gone" | "lost">;

  constructor(owned: OwnedLease, around: ShardTaskSurroundings) {
    this.#owned = owned;
    this.#around = around;
    this.#consumer = around.startConsumer(owned);
    this.done = this.#run().catch((error: unknown) => {
      // A hook or an adapter broke its contract. The lease is kept and reading stops: loud, and nothing is lost.
      around.ports.logger.error(
        { err: error, shardId: owned.leaseKey },
        "shard task failed; its lease is dropped",
      );
      this.#consumer.stop();
      return "lost" as const;
    });
  }

  get owned(): OwnedLease {
    return this.#owned;
  }

  get phase(): TaskPhase["kind"] {
    return this.#phase.kind;
  }

  /** Whom a hand-over under way is for. */
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

  /** The lease is somebody else's (or must be treated so): stop at once, write nothing more. */
  lose(reason: string): void {
    if (this.#lost.signal.aborted || this.#phase.kind === "gone") return;
    this.#lost.abort(reason);
    this.#consumer.stop();
  }

  async #run(): Promise<"gone" | "lost"> {
    for (;;) {
      const outcome = await this.#consumer.finished;
      if (outcome.kind === "lost" || this.#lost.signal.aborted) return this.#wasLost();
      const written =
        outcome.kind === "ended"
          ? await this.#complete(outcome.children, outcome.checkpoint)
          : await this.#giveAway(outcome.checkpoint);
      if (written === "lost") return this.#wasLost();
      if (written === "gone") {
        this.#phase = { kind: "gone" };
        this.#around.changed();
        return "gone";
      }
      this.#phase = { kind: "reading" };
      this.#consumer = this.#around.startConsumer(this.#owned);
    }
  }

  async #giveAway(checkpoint: Checkpoint): Promise<"gone" | "lost" | "kept"> {
    const phase = this.#phase;
    const reason = "reason" in phase ? phase.reason : "drained";
    // The plan may have changed while the batch in hand was finished.
    const to = phase.kind === "releasing" ? undefined : this.#around.targetOf(this.#owned.leaseKey);
    if (phase.kind === "handing-over" && to === undefined) {
      const kept = await this.#persist("checkpoint", () => this.#owned.checkpoint(checkpoint));
      return kept === "ok" ? "kept" : "lost";
    }
    const written = await this.#persist("hand-over", () =>
      to === undefined ? this.#owned.release(checkpoint) : this.#owned.handOver(to, checkpoint),
    );
    if (written !== "ok") return "lost";
    this.#tell(
      to === undefined ? "released" : "handed-over",
      to === undefined ? reason : `${reason}: to ${to}`,
    );
    return "gone";
  }

  async #complete(told: readonly Shard[] | undefined, checkpoint: Checkpoint): Promise<"gone" | "lost"> {
    this.#phase = { kind: "completing" };
    const { leaseKey } = this.#owned;
    const children = await this.#persist("creating child leases", () => this.#createChildren(told));
    if (children === undefined) return "lost";
    // What was processed is safe before the hook runs, which may fail or take its time.
    const { lease } = this.#owned;
    if (
      lease.checkpoint.sequenceNumber !== checkpoint.sequenceNumber ||
      lease.checkpoint.subSequenceNumber !== checkpoint.subSequenceNumber
    ) {
      if ((await this.#persist("checkpoint", () => this.#owned.checkpoint(checkpoint))) !== "ok")
        return "lost";
    }
    const { shardEnded } = this.#around.options.hooks;
    if (shardEnded) await this.#persist("shardEnded hook", async () => shardEnded({ shardId: leaseKey }));
    const written = await this.#persist("SHARD_END", () =>
      this.#owned.complete(children.map((c) => c.shardId)),
    );
    if (written !== "ok") return "lost";
    this.#tell("completed", `children ${children.map((c) => c.shardId).join(", ") || "none"}`);
    return "gone";
  }

  /** T2. A child of two parents is runnable when the *other* parent has no row: then the whole stream is synced first. */
  async #createChildren(told: readonly Shard[] | undefined): Promise<readonly Shard[]> {
    const { leaseKey } = this.#owned;
    const isChild = (shard: Shard) => shard.parentShardIds.includes(leaseKey);
    const parentsKnown = told?.every((child) =>
      child.parentShardIds.every((p) => this.#around.row(p) !== undefined),
    );
    if (told === undefined || told.length === 0 || !parentsKnown) {
      const listed = await this.#around.syncShards();
      const children = listed.filter(isChild);
      // A shard ends because it has children: a listing without them lags. An end without any is believed in the end.
      if (
        children.length === 0 &&
        listed.some((s) => s.shardId === leaseKey) &&
        this.#childlessListings < MAX_CHILDLESS_LISTINGS
      ) {
        this.#childlessListings += 1;
        throw new StreamError("unavailable", `the stream lists no child of the ended shard ${leaseKey} yet`);
      }
      return children;
    }
    for (const child of told) {
      if (this.#around.row(child.shardId) !== undefined) continue;
      const lease = childLease(child, this.#around.application());
      await this.#around.ports.store.create(lease);
      // Whoever made it: the row is there from now on.
      this.#around.created(lease);
    }
    return told;
  }

  async #wasLost(): Promise<"lost"> {
    this.#phase = { kind: "gone" };
    const { reason } = this.#lost.signal;
    this.#lost.abort();
    this.#tell("lost", typeof reason === "string" ? reason : "a fenced write was refused");
    this.#around.changed();
    try {
      await this.#around.options.hooks.leaseLost?.({ shardId: this.#owned.leaseKey });
    } catch (error) {
      this.#around.ports.logger.error({ err: error, shardId: this.#owned.leaseKey }, "leaseLost hook failed");
    }
    return "lost";
  }

  #persist<T>(what: string, act: () => Promise<T>): Promise<T | undefined> {
    return persist(`${what} of ${this.#owned.leaseKey}`, act, {
      ...this.#around.ports,
      signal: this.#lost.signal,
    });
  }

  #tell(action: "handed-over" | "released" | "completed" | "lost", reason: string): void {
    const { clock, logger } = this.#around.ports;
    const { leaseKey } = this.#owned;
    this.#around.options.observe({ type: "lease", leaseKey, action, reason, atMillis: clock.wallMillis() });
    logger[action === "lost" ? "warn" : "info"]({ shardId: leaseKey, reason }, `lease ${action}`);
  }
}
