/**
 * L8: no readable shard is unread for longer than the failover time and 5 s, counted from the end of the last
 * disturbance of the fleet. A shard is readable when its row can be read and every parent with a row is at
 * SHARD_END. Exceptions: shards whose handler fails or that are halted, and shards for which the caps leave
 * no room. In a fleet where a worker was blocked or paused, a crash counts from the end of the failover time
 * that covers the block (`faults/blocked.ts`).
 */
import { isEnded } from "../../../src/core/lease.ts";
import { PublishedTimes } from "../faults/blocked.ts";
import { longestFailover } from "../faults/unequal.ts";
import { mayAssign, type Swarm } from "../swarm.ts";
import type { SimEvent } from "../world/history.ts";
import { disturbanceOf } from "./disturbances.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";

const MARGIN_MILLIS = 5_000;
/** Scans from a change to a claim, beyond the two for which the margin is meant. */
const SCANS = 3;
/**
 * Of the failover time: a third between the scans that observe the owner, and half until another worker may
 * take the lease.
 */
const ORPHAN_PART = 5 / 6;

/** While a row cannot be read, the table is scanned this often. */
const REPAIR_POLL_MILLIS = 3_000;

interface ShardState {
  parents: readonly string[];
  hasRow: boolean;
  ended: boolean;
  isGarbled: boolean;
  /** Edited by hand, and no write has been refused because of it yet. */
  isTampered: boolean;
  /**
   * Edited by hand to name a worker whose claims may fail. That worker lives, so no other worker takes the
   * lease.
   */
  mayNameWhoFails: boolean;
  trimmed: boolean;
  /** The last call of its handler failed, or the engine halted the shard. */
  isFailing: boolean;
  lastSign: SimEvent | undefined;
  /** Since when the shard is readable, as far as its row and its parents are concerned. */
  since: number;
}

class Unread {
  readonly #swarm: Swarm;
  readonly #limit: number;
  readonly #shards = new Map<string, ShardState>();
  readonly #up = new Set<string>();
  readonly #published: PublishedTimes;
  /** Marked dead, and not a member again since: they run, but have no room for any lease. */
  readonly #out = new Set<string>();
  /** Until when the lease table refuses a worker: until then it cannot take a lease. */
  readonly #refusedUntil = new Map<string, number>();
  #undisturbedSince = 0;

  constructor(swarm: Swarm) {
    this.#swarm = swarm;
    this.#published = new PublishedTimes(swarm);
    const { handlerMillis, latencyMillis, scanSegments } = swarm;
    // Where a scan takes most of a second, the table sometimes changes faster than it is scanned.
    const scansMillis = SCANS * scanSegments * 2 * latencyMillis.high;
    // A non-member owner is observed from scan to scan, and the worker that is to take its lease may plan
    // otherwise, or fail.
    const isTakenLate = swarm.faults.otherPlanner > 0 || swarm.faults.kinds.includes("failing-claims");
    // Two versions each wait for the other's worker, and one of these cannot take anything: the last in line
    // takes the lease.
    const lastInLineMillis =
      swarm.faults.otherPlanner > 0 && swarm.faults.kinds.includes("failing-claims")
        ? longestFailover(swarm) / 2
        : 0;
    // A row that could not be read may name a worker that is gone. That owner is observed from the time the
    // row can be read again.
    const isGarbled = swarm.faults.tampering.some(({ what }) => what === "garble-lease");
    const repairMillis = isGarbled ? REPAIR_POLL_MILLIS : 0;
    const orphanMillis = swarm.orphanedLeases && isTakenLate ? ORPHAN_PART * longestFailover(swarm) : 0;
    // A worker that crashes again and again under one id is assigned its leases again in each of its lives
    // (ADR 11).
    const livesMillis =
      mayAssign(swarm) && swarm.faults.kinds.includes("crash-loop") ? longestFailover(swarm) : 0;
    // Where the leader assigns, it passes over a worker that does not take a lease after 3 s at least, and
    // acts on that one scan later.
    const passedOverMillis = mayAssign(swarm) && swarm.faults.kinds.includes("failing-claims") ? 3_000 : 0;
    const slowMillis = swarm.rates.slow > 0 ? swarm.timeoutMillis : 0;
    // The scan that finds the owner expired may fail at the end of an outage.
    const failedReadingMillis =
      swarm.orphanedLeases && swarm.faults.outages.length > 0 ? swarm.timeoutMillis : 0;
    // A worker's entry was removed by hand, and an outage kept the worker from writing it again before it
    // stopped: its leases are observed from scan to scan.
    const isEntryRemoved = swarm.faults.tampering.some(
      ({ what }) => what === "delete-fleet-row" || what === "delete-member",
    );
    const entryRemovedMillis =
      isEntryRemoved && swarm.faults.outages.length > 0 ? longestFailover(swarm) / 3 : 0;
    // Where the leader assigns, only the leader and its deputy observe owners: the next leader starts anew.
    const watchMillis = swarm.orphanedLeases && mayAssign(swarm) ? longestFailover(swarm) : 0;
    this.#limit =
      longestFailover(swarm) +
      MARGIN_MILLIS +
      2 * handlerMillis.high +
      scansMillis +
      orphanMillis +
      watchMillis +
      slowMillis +
      livesMillis +
      lastInLineMillis +
      repairMillis +
      failedReadingMillis +
      entryRemovedMillis +
      passedOverMillis;
  }

  add(event: SimEvent): Verdict {
    for (const [worker, until] of this.#refusedUntil)
      if (event.t >= until && this.#refusedUntil.delete(worker)) this.#hasRoomSince(until);
    const disturbance = disturbanceOf(event);
    if (disturbance !== undefined) {
      const verdict = this.#all(event);
      if (verdict.kind !== "valid") return verdict;
      this.#undisturbedSince = Math.max(this.#undisturbedSince, disturbance.until);
    }
    this.#published.add(event);
    if (event.type === "read" || event.type === "handled" || event.type === "too-late") {
      const shard = this.#shard(event.shardId);
      const verdict = this.#one(event.shardId, shard, event);
      if (verdict.kind !== "valid") return verdict;
      shard.lastSign = event;
      if (event.type !== "read") shard.isFailing = event.type === "too-late";
    }
    this.#follow(event);
    return VALID;
  }

  /**
   * Where event loops were blocked, a crash is noticed after the failover time that their workers published.
   */
  get #allowedMillis(): number {
    return this.#limit + Math.max(0, this.#published.longestMillis - longestFailover(this.#swarm));
  }

  #follow(event: SimEvent): void {
    if (event.type === "threw" || event.type === "halted" || event.type === "dead-letter") {
      if (event.type !== "dead-letter") this.#shard(event.shardId).isFailing = true;
    } else if (event.type === "shard") {
      const shard = this.#shard(event.shardId);
      if (event.action === "opened") shard.parents = event.parents;
      if (event.action === "trimmed") shard.trimmed = true;
    } else if (event.type === "write") {
      const shard = this.#shard(event.leaseKey);
      const ended = event.after !== undefined && isEnded(event.after);
      if (event.operation === "create" || ended) shard.since = event.t;
      // Its children may be read from now on.
      if (ended && !shard.ended) this.#hasRoomSince(event.t);
      if (ended && !shard.ended)
        for (const other of this.#shards.values())
          if (other.parents.includes(event.leaseKey)) other.since = event.t;
      shard.hasRow = event.after !== undefined;
      if (shard.mayNameWhoFails && event.operation === "claim") {
        shard.mayNameWhoFails = false;
        shard.since = event.t;
      }
      shard.ended = ended;
      // Another owner calls its own handler anew.
      if (shard.isFailing && event.before?.owner !== event.after?.owner) {
        shard.isFailing = false;
        shard.since = event.t;
      }
    } else if (event.type === "tampered" && event.leaseKey !== undefined) {
      const shard = this.#shard(event.leaseKey);
      if (event.what === "deleted") shard.hasRow = false;
      shard.isGarbled = event.what === "garbled";
      shard.isTampered = true;
      const claimsFail = this.#swarm.faults.kinds.includes("failing-claims");
      if (claimsFail && event.what.startsWith("owner")) shard.mayNameWhoFails = true;
    } else if (event.type === "refused") {
      // Only now does a worker know of the edit.
      const shard = this.#shard(event.leaseKey);
      if (shard.isTampered) shard.since = event.t;
      shard.isTampered = false;
    } else if (event.type === "member") {
      if (event.operation === "markDead") this.#out.add(event.about);
      if (event.operation === "join" && this.#out.delete(event.about)) this.#hasRoomSince(event.t);
    } else if (event.type === "worker") {
      if (event.action === "joined") this.#up.add(event.worker);
      else this.#isDown(event.worker, event.t);
    } else if (event.type === "trouble" && event.kind === "crash") this.#isDown(event.worker, event.t);
    else if (event.type === "trouble" && event.kind === "refused" && event.detail.startsWith("store")) {
      this.#refusedUntil.set(event.worker, event.until ?? Number.POSITIVE_INFINITY);
      this.#mayBeRefusedTogether(event.t);
    }
  }

  #isDown(worker: string, t: number): void {
    this.#up.delete(worker);
    this.#mayBeRefusedTogether(t);
  }

  /**
   * All remaining workers are refused: no other can read in their place until the first of them is served
   * again.
   */
  #mayBeRefusedTogether(t: number): void {
    const until = [...this.#up].map((worker) => this.#refusedUntil.get(worker) ?? t);
    if (until.length > 0) this.#undisturbedSince = Math.max(this.#undisturbedSince, Math.min(...until));
  }

  /** A worker comes back, or a shard ends: there may be room for what the caps left no room for. */
  #hasRoomSince(t: number): void {
    if (this.#swarm.cap.kind !== "none") this.#undisturbedSince = Math.max(this.#undisturbedSince, t);
  }

  #all(event: SimEvent): Verdict {
    if (event.t - this.#undisturbedSince <= this.#allowedMillis) return VALID;
    for (const [shardId, shard] of this.#shards) {
      const verdict = this.#one(shardId, shard, event);
      if (verdict.kind !== "valid") return verdict;
    }
    return VALID;
  }

  #one(shardId: string, shard: ShardState, event: SimEvent): Verdict {
    const from = Math.max(this.#undisturbedSince, shard.lastSign?.t ?? 0, shard.since);
    if (event.t - from <= this.#allowedMillis || shard.isFailing || shard.mayNameWhoFails) return VALID;
    if (!this.#isReadable(shard) || !this.#hasRoom()) return VALID;
    const what = `L8: ${shardId} was unread for ${(event.t - from).toFixed(0)} ms without a fault, at most ${this.#allowedMillis.toFixed(0)} are allowed`;
    return invalid(what, shard.lastSign, event);
  }

  #isReadable({ hasRow, ended, isGarbled, trimmed, parents }: ShardState): boolean {
    if (!hasRow || ended || isGarbled || trimmed) return false;
    return parents.every((parent) => {
      const state = this.#shards.get(parent);
      return state === undefined || !state.hasRow || (state.ended && !state.isGarbled);
    });
  }

  #hasRoom(): boolean {
    const { cap } = this.#swarm;
    const isOut = (worker: string) => this.#out.has(worker) || this.#refusedUntil.has(worker);
    const members = [...this.#up].filter((worker) => !isOut(worker)).length;
    if (members === 0) return false;
    if (cap.kind === "none") return true;
    // A shard whose row is gone is still read by a worker that has not noticed that, and counts for the
    // worker's cap.
    const takesRoom = (shard: ShardState) =>
      this.#isReadable(shard) || (shard.isTampered && !shard.hasRow && !shard.ended);
    const readable = [...this.#shards.values()].filter(takesRoom).length;
    return cap.limit * members >= readable;
  }

  #shard(shardId: string): ShardState {
    let state = this.#shards.get(shardId);
    if (state === undefined) {
      state = {
        parents: [],
        hasRow: false,
        ended: false,
        isGarbled: false,
        isTampered: false,
        mayNameWhoFails: false,
        trimmed: false,
        isFailing: false,
        lastSign: undefined,
        since: 0,
      };
      this.#shards.set(shardId, state);
    }
    return state;
  }
}

export function checkUnread({ swarm, events }: Evidence): Verdict {
  // A Java worker follows KCL's times.
  if (swarm.javaShifts.length > 0) return VALID;
  const unread = new Unread(swarm);
  for (const event of events) {
    const verdict = unread.add(event);
    if (verdict.kind !== "valid") return verdict;
    if (event.type === "phase" && event.name === "end") break;
  }
  return VALID;
}
