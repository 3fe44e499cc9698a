/**
 * What the user's own choices excuse, computed from the history: records that the error policy gave up,
 * shards that it halted, and, with manual checkpoints, how far the handler said it was. Receives every event,
 * in order.
 *
 * A record may be given up when `onError` is "skip" or `deadLetter`, after four failed calls, if the last of
 * them had no other unfinished record; with `deadLetter`, only when that took the record.
 */
import { type Checkpoint, compareCheckpoints, isSentinel } from "../../../src/core/lease.ts";
import type { Swarm } from "../swarm.ts";
import type { SimEvent } from "../world/history.ts";

/** The fewest failed calls after which a record may be given up, or may halt its shard. */
export const TRIES = 4;

interface Failing {
  calls: number;
  /** The last failing call ended with this record; `before`: the record before it in that call, if any. */
  lastInCall: boolean;
  before: string | undefined;
}

/** The state of one worker that has (or had) the lease, since it took it. */
interface Tenure {
  readonly failing: Map<string, Failing>;
  /** Calls of `deadLetter` that failed. */
  refusals: number;
}

type Write = Extract<SimEvent, { type: "write" }>;

interface ShardState {
  owner: string | undefined;
  /** The furthest record that a checkpoint of the handler may have meant, and the furthest that one named. */
  accepted: string | undefined;
  named: string | undefined;
  /**
   * Like `named`, but without checkpoints that were never written because the owner that accepted them is
   * gone, and without checkpoints of a record that the handler was given ahead of a failing one.
   */
  standing: string | undefined;
  readonly puts: string[];
  /**
   * Since the newest owner has the lease. What an earlier owner handled and did not checkpoint is given to
   * the handler again.
   */
  readonly handled: Set<string>;
  readonly tenures: Map<string, Tenure>;
}

export class Allowances {
  /** Halted shards, each with the worker that halted it. */
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
        this.#shard(event.shardId).puts.push(event.sequenceNumber);
        return;
      case "threw":
        this.#threw(this.#tenure(event.shardId, event.worker), event.sequenceNumbers);
        return;
      case "handled":
        // A worker that was blocked and has lost the lease changes nothing for the current owner.
        if (this.halted.get(event.shardId) === event.worker) this.halted.delete(event.shardId);
        for (const number of event.sequenceNumbers) this.#shard(event.shardId).handled.add(number);
        return;
      case "accepted": {
        const shard = this.#shard(event.shardId);
        shard.accepted = furthest(shard.accepted, event.sequenceNumber);
        if (!event.named) return;
        const stands = shard.owner === event.worker && this.#isSettledUpTo(shard, event.sequenceNumber);
        shard.named = furthest(shard.named, event.sequenceNumber);
        if (stands) shard.standing = furthest(shard.standing, event.sequenceNumber);
        return;
      }
      case "dead-letter":
        if (event.taken) this.#letters.add(event.sequenceNumber);
        else this.#tenure(this.#shardOf.get(event.sequenceNumber) ?? "", event.worker).refusals += 1;
        return;
      case "halted":
        // A worker that has lost the lease and not noticed it yet no longer halts the shard.
        if (this.#shard(event.shardId).owner === event.worker) this.halted.set(event.shardId, event.worker);
        return;
      case "write":
        if (event.operation === "claim" || event.after?.owner !== event.before?.owner)
          this.#startsAnew(event.leaseKey, event);
        return;
      case "worker":
      case "trouble": {
        const isOver = event.type === "worker" ? event.action === "stopped" : event.kind === "crash";
        if (!isOver) return;
        for (const [shardId, worker] of this.halted) if (worker === event.worker) this.halted.delete(shardId);
      }
    }
  }

  /** Whether the record need not be handled. */
  gaveUp(sequenceNumber: string): boolean {
    if (this.#givenUp.has(sequenceNumber)) return true;
    const shard = this.#shards.get(this.#shardOf.get(sequenceNumber) ?? "");
    if (shard === undefined) return false;
    return [...shard.tenures.values()].some((tenure) => this.#judge(shard, tenure, sequenceNumber));
  }

  /** Whether the handler may have said that it finished this record. */
  mayCover(shardId: string, sequenceNumber: string): boolean {
    return reaches(this.#shards.get(shardId)?.accepted, sequenceNumber);
  }

  /** Whether the handler said so to an owner that could still write it. */
  covers(shardId: string, sequenceNumber: string): boolean {
    return reaches(this.#shards.get(shardId)?.standing, sequenceNumber);
  }

  /** Whether a halt is what the user chose, given what happened since the worker took the lease. */
  mayHalt(shardId: string, worker: string): boolean {
    const { failing, refusals } = this.#tenure(shardId, worker);
    if (this.#onError === "skip") return false;
    if (this.#onError === "deadLetter") return refusals >= TRIES;
    return [...failing.values()].some(({ calls }) => calls >= TRIES);
  }

  #isSettledUpTo({ puts, handled, standing }: ShardState, sequenceNumber: string): boolean {
    return puts.every(
      (number) =>
        handled.has(number) ||
        reaches(standing, number) ||
        isBefore(sequenceNumber, number) ||
        this.gaveUp(number),
    );
  }

  #threw({ failing }: Tenure, sequenceNumbers: readonly string[]): void {
    for (const [index, sequenceNumber] of sequenceNumbers.entries()) {
      const calls = (failing.get(sequenceNumber)?.calls ?? 0) + 1;
      const lastInCall = index === sequenceNumbers.length - 1;
      failing.set(sequenceNumber, { calls, lastInCall, before: sequenceNumbers[index - 1] });
    }
  }

  /** Another owner, or the same one again: it gives the records to its handler as if for the first time. */
  #startsAnew(shardId: string, { operation, before, after }: Write): void {
    const shard = this.#shard(shardId);
    const owner = after?.owner;
    const checkpoint = numberOf(after?.checkpoint);
    // Also when the same worker claims again: what it accepted before it was marked dead was not written.
    const isTaken = operation === "claim" && before?.isPending !== true;
    if (isTaken) shard.standing = checkpoint;
    else if (checkpoint !== undefined) shard.standing = furthest(shard.standing, checkpoint);
    shard.owner = owner;
    shard.handled.clear();
    this.halted.delete(shardId);
    const tenure = owner === undefined ? undefined : shard.tenures.get(owner);
    if (owner === undefined || tenure === undefined) return;
    for (const sequenceNumber of tenure.failing.keys()) this.#judge(shard, tenure, sequenceNumber);
    shard.tenures.delete(owner);
  }

  #judge(shard: ShardState, tenure: Tenure, sequenceNumber: string): boolean {
    const failing = tenure.failing.get(sequenceNumber);
    if (this.#onError === "stop" || failing === undefined || failing.calls < TRIES) return false;
    // Records that the handler checkpointed during the failing call do not fail with the rest.
    const alone = failing.before === undefined || reaches(shard.named, failing.before);
    if (!failing.lastInCall || !alone) return false;
    if (this.#onError === "deadLetter" && !this.#letters.has(sequenceNumber)) return false;
    this.#givenUp.add(sequenceNumber);
    return true;
  }

  #shard(shardId: string): ShardState {
    let state = this.#shards.get(shardId);
    if (state === undefined) {
      state = {
        owner: undefined,
        accepted: undefined,
        named: undefined,
        standing: undefined,
        puts: [],
        handled: new Set(),
        tenures: new Map(),
      };
      this.#shards.set(shardId, state);
    }
    return state;
  }

  #tenure(shardId: string, worker: string): Tenure {
    const { tenures } = this.#shard(shardId);
    let tenure = tenures.get(worker);
    if (tenure === undefined) {
      tenure = { failing: new Map(), refusals: 0 };
      tenures.set(worker, tenure);
    }
    return tenure;
  }
}

const isBefore = (a: string, b: string): boolean =>
  compareCheckpoints(
    { sequenceNumber: a, subSequenceNumber: 0 },
    { sequenceNumber: b, subSequenceNumber: 0 },
  ) < 0;

const numberOf = (checkpoint: Checkpoint | undefined): string | undefined =>
  checkpoint === undefined || isSentinel(checkpoint) ? undefined : checkpoint.sequenceNumber;

const furthest = (known: string | undefined, sequenceNumber: string): string =>
  known === undefined || isBefore(known, sequenceNumber) ? sequenceNumber : known;

const reaches = (known: string | undefined, sequenceNumber: string): boolean =>
  known !== undefined && !isBefore(known, sequenceNumber);
