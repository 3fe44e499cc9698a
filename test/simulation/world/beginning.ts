/**
 * Where an application without leases begins, computed from the history: which records must be handled, and
 * which must not.
 *
 * - TRIM_HORIZON: every record.
 * - A time: records that arrived at it or later, and no others.
 * - LATEST: records that were put after the row of their shard was created. Where clocks are exact
 *   (`isExact`): records that were put after the beginning was written, whenever the shard's row followed,
 *   and none from before the time that was written.
 */
import { LATEST, type Lease } from "../../../src/core/lease.ts";
import type { Swarm } from "../swarm.ts";
import type { SimEvent } from "./history.ts";
import { EPOCH_MILLIS } from "./sim-clock.ts";

export class Beginning {
  readonly #swarm: Swarm;
  /** The clocks are exact, so the application's one beginning holds for every shard. */
  readonly #isExact: boolean;
  /** By shard: records put up to this time need not be handled. */
  readonly #dueFrom = new Map<string, number>();
  #began: Extract<SimEvent, { type: "began" }> | undefined;

  constructor(swarm: Swarm) {
    this.#swarm = swarm;
    this.#isExact = swarm.faults.kinds.includes("beginning");
  }

  add(event: SimEvent): void {
    if (event.type === "began") this.#began ??= event;
    if (event.type !== "write" || event.operation !== "create") return;
    if (!this.#dueFrom.has(event.leaseKey)) this.#dueFrom.set(event.leaseKey, dueFrom(event.after!, event.t));
  }

  isDue(shardId: string, putAt: number): boolean {
    const { initialPosition } = this.#swarm;
    if (initialPosition === "TRIM_HORIZON") return true;
    if (initialPosition !== "LATEST") return putAt >= initialPosition.atMillis;
    if (this.#isExact) return putAt > (this.#began?.t ?? Number.POSITIVE_INFINITY);
    return putAt > (this.#dueFrom.get(shardId) ?? Number.POSITIVE_INFINITY);
  }

  /** The record was put before the application began. */
  isTooEarly(putAt: number): boolean {
    const { initialPosition } = this.#swarm;
    if (initialPosition === "TRIM_HORIZON") return false;
    // Kinesis keeps whole milliseconds.
    if (initialPosition !== "LATEST") return putAt < Math.floor(initialPosition.atMillis) - 1;
    return this.#isExact && putAt < (this.#began?.startMillis ?? EPOCH_MILLIS) - EPOCH_MILLIS - 1;
  }

  /**
   * A clock that was ahead wrote the time of LATEST. Then LATEST is the tip for every owner, and an owner
   * that claims the lease from a dead worker begins beyond that worker's last batch, which may still be
   * handled later.
   */
  resumesAtTip(shardId: string): boolean {
    return this.#dueFrom.get(shardId) === Number.POSITIVE_INFINITY;
  }
}

/**
 * With LATEST: every record after the row's creation is due, unless the clock that wrote the time of LATEST
 * was ahead.
 */
function dueFrom({ checkpoint, startMillis }: Lease, createdMillis: number): number {
  if (checkpoint.sequenceNumber !== LATEST) return Number.NEGATIVE_INFINITY;
  const isAhead = startMillis !== undefined && startMillis - EPOCH_MILLIS > createdMillis;
  return isAhead ? Number.POSITIVE_INFINITY : createdMillis;
}
