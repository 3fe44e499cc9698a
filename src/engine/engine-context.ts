/** What the components of the engine share: ports, compiled options, and the events they emit. */

import type { Decisions } from "../core/decide.ts";
import type { Facts } from "../core/facts.ts";
import type { Clock } from "../ports/clock.ts";
import type { LeaseStore } from "../ports/lease-store.ts";
import type { Logger } from "../ports/logger.ts";
import type { Metrics } from "../ports/metrics.ts";
import type { Random } from "../ports/random.ts";
import type { Stream, StreamDescription } from "../ports/stream.ts";
import type {
  ShardEnded,
  ShardEvent,
  ShardReaderOptions,
  ShutdownRequested,
} from "./reader/reader-options.ts";

/** What happened to a lease of this worker. */
export type LeaseAction =
  | "claimed" // took an unowned or expired lease
  | "handed-over" // handed it over to its planned next owner
  | "received" // started on a lease that the old owner handed over to this worker
  | "lost" // a fence failed, or the row names another owner
  | "completed" // wrote SHARD_END
  | "released"; // released it with no next owner

export interface Ports {
  readonly store: LeaseStore;
  readonly stream: Stream;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly describeStream: () => Promise<StreamDescription>;
  /** A name that no earlier start of this worker has used. */
  readonly newIncarnation: () => string;
  /** The decisions. The simulator's mutation tests replace them with broken ones. */
  readonly decide: (facts: Facts) => Decisions;
}

/** Options with every default filled in: nothing optional, units in the names. */
export interface EngineOptions extends ShardReaderOptions {
  readonly workerId: string;
  readonly createLeaseTable: boolean;
  readonly onStreamReplaced: "refuse" | "start-over";
  readonly enableLeaseStealing: boolean;
  readonly maxLeasesForWorker: (fleet: {
    readonly shards: number;
    readonly workers: number;
  }) => number | undefined;
  readonly failoverTimeMillis: number;
  readonly shardSyncIntervalMillis: number;
  readonly leaseRenewal: "worker" | "lease";
  readonly maxBufferedBytes: number;
  /** Workers × shards from which the leader assigns leases (`core/assignments.ts`). */
  readonly assignsFrom: number;
  readonly hooks: Hooks;
  readonly observe: (event: WorkerEvent) => void;
}

export interface Hooks {
  /**
   * The lease went to another worker, not by a hand-over: stop having effects for the shard. Waited for at
   * most 5 s. KCL: `leaseLost`.
   */
  readonly leaseLost?: ((input: { readonly shardId: string }) => Promise<void> | void) | undefined;
  /**
   * Every record of the shard is processed. When this has resolved, SHARD_END is written and the children can
   * start. A call that takes longer than 5 minutes is repeated. Once the lease is to move, it is waited for
   * at most 30 s. KCL: `shardEnded`.
   */
  readonly shardEnded?: ShardEnded | undefined;
  /**
   * Called before a planned move or a stop: the last chance to checkpoint. Waited for at most 30 s. KCL:
   * `shutdownRequested`.
   */
  readonly shutdownRequested?: ShutdownRequested | undefined;
}

export type WorkerEvent =
  | ShardEvent
  | {
      readonly type: "lease";
      readonly leaseKey: string;
      readonly action: LeaseAction;
      readonly reason: string;
      readonly atMillis: number;
    }
  /**
   * An error that needs a person. `error` says what is wrong and what to do. `hasEnded`: the worker has ended
   * by itself and takes no part any more. Otherwise a call is refused and is retried until it succeeds; the
   * event is emitted at its first failure, then every five minutes.
   */
  | { readonly type: "error"; readonly error: Error; readonly hasEnded: boolean; readonly atMillis: number };
