/**
 * What the user's own choices excuse, told from the history: records that the error policy gave up, shards that it
 * stopped, and, with manual checkpoints, how far the handler said it was. Fed with every event, in order.
 *
 * A record may be given up when `onError` is "skip" or `deadLetter`, after three retries of its batch and one failure
 * of its own; with `deadLetter`, when that took it.
 */
import { compareCheckpoints } from "../../../services/consumer/core/lease.ts";
import type { Swarm } from "../swarm.ts";
import type { SimEvent } from "../world/history.ts";

/** The first call and its three retries. */
export const TRIES = 4;

interface Failing {
  calls: number;
  /** The last failing call ended with this record; `before`: the one before it in that call, if any. */
  lastInCall: boolean;
  before: string | undefined;
}

interface ShardState {
  readonly failing: Map<string, Failing>;
  accepted: string | undefined;
  /** Dead letters that failed since the lease was taken. */
  refusals: number;
}

export class Allowances {
  /** Shards that are read no further, and by whom. */
  readonly halted = new Map<string, string>();
  readonly #onError: Swarm["onError"];
  readonly #shards = new Map<string, ShardState>();
  readonly #givenUp = new Set<string>();
  readonly #letters = new Set<string>();
  readonly #shardOf = new Map<string, string>();

  constructor({ onError }: Pick<Swarm, "onError">) {
    this.#onError = onError;
  }

  add(event: SimEvent): void {
    switch (event.type) {
      case "put":
        this.#shardOf.set(event.sequenceNumber, event.shardId);
        return;
      case "threw":
        this.#threw(event.shardId, event.sequenceNumbers);
        return;
      case "handled":
        this.halted.delete(event.shardId);
        return;
      case "accepted": {
        const shard = this.#shard(event.shardId);
        if (shard.accepted === undefined || isBefore(shard.accepted, event.sequenceNumber))
          shard.accepted = event.sequenceNumber;
        return;
      }
      case "dead-letter":
        if (event.taken) this.#letters.add(event.sequenceNumber);
        else this.#shard(this.#shardOf.get(event.sequenceNumber) ?? "").refusals += 1;
        return;
      case "halted":
        this.halted.set(event.shardId, event.worker);
        return;
      case "write":
        if (event.operation === "claim" || event.after?.owner !== event.before?.owner)
          this.#startsAnew(event.leaseKey);
        return;
      case "worker":
      case "trouble": {
        const isOver = event.type === "worker" ? event.action === "stopped" : event.kind === "crash";
        if (!isOver) return;
        for (const [shardId, worker] of this.halted) if (worker === event.worker) this.halted.delete(shardId);
      }
    }
  }

  /** The record need not be handled. */
  gaveUp(sequenceNumber: string): boolean {
    if (this.#givenUp.has(sequenceNumber)) return true;
    const shard = this.#shards.get(this.#shardOf.get(sequenceNumber) ?? "");
    return shard !== undefined && this.#judge(shard, sequenceNumber);
  }

  /** The handler has said that it is done with this record. */
  covers(shardId: string, sequenceNumber: string): boolean {
    const accepted = this.#shards.get(shardId)?.accepted;
    return accepted !== undefined && !isBefore(accepted, sequenceNumber);
  }

  /** Whether a halt is what the user chose, after what has happened since the lease was taken. */
  mayHalt(shardId: string): boolean {
    const shard = this.#shard(shardId);
    if (this.#onError === "skip") return false;
    if (this.#onError === "deadLetter") return shard.refusals >= TRIES;
    return [...shard.failing.values()].some(({ calls }) => calls >= TRIES);
  }

  #threw(shardId: string, sequenceNumbers: readonly string[]): void {
    const { failing } = this.#shard(shardId);
    for (const [index, sequenceNumber] of sequenceNumbers.entries()) {
      const calls = (failing.get(sequenceNumber)?.calls ?? 0) + 1;
      const lastInCall = index === sequenceNumbers.length - 1;
      failing.set(sequenceNumber, { calls, lastInCall, before: sequenceNumbers[index - 1] });
    }
  }

  /** Another owner, or the same one again: it gives the records to its handler as if for the first time. */
  #startsAnew(shardId: string): void {
    const shard = this.#shard(shardId);
    for (const sequenceNumber of shard.failing.keys()) this.#judge(shard, sequenceNumber);
    shard.failing.clear();
    shard.refusals = 0;
    this.halted.delete(shardId);
  }

  #judge(shard: ShardState, sequenceNumber: string): boolean {
    const failing = shard.failing.get(sequenceNumber);
    if (this.#onError === "stop" || failing === undefined || failing.calls <= TRIES) return false;
    // What the handler checkpointed in the very call that failed does not fail with the rest.
    const alone =
      failing.before === undefined ||
      (shard.accepted !== undefined && !isBefore(shard.accepted, failing.before));
    if (!failing.lastInCall || !alone) return false;
    if (this.#onError === "deadLetter" && !this.#letters.has(sequenceNumber)) return false;
    this.#givenUp.add(sequenceNumber);
    return true;
  }

  #shard(shardId: string): ShardState {
    let state = this.#shards.get(shardId);
    if (state === undefined) {
      state = { failing: new Map(), accepted: undefined, refusals: 0 };
      this.#shards.set(shardId, state);
    }
    return state;
  }
}

/** Of sequence numbers. */
const isBefore = (a: string, b: string): boolean =>
  compareCheckpoints(
    { sequenceNumber: a, subSequenceNumber: 0 },
    { sequenceNumber: b, subSequenceNumber: 0 },
  ) < 0;
