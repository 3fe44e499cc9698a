/**
 * Finds leases that their planned owner does not take up, and decides when this worker takes them
 * (`core/untaken.ts`). Before that, a lease that looks untaken is checked in a fresh scan, because taking up
 * a lease does not move the fleet version. A worker that did not take up its lease is passed over: for a
 * while it is planned with no more leases.
 */

import type { UntakenLease } from "../core/decide.ts";
import type { Lease } from "../core/lease.ts";
import { observeUntaken, overdue, rescueAfterMillis, type Untaken, untakenKey } from "../core/untaken.ts";
import type { FleetCache } from "./fleet-cache.ts";
import type { FleetPoller } from "./fleet-poller.ts";

/** Doubles each time, up to the maximum. */
const PASSED_OVER_MILLIS = 60_000;
const MAX_PASSED_OVER_MILLIS = 600_000;

interface Taker {
  readonly lease: Lease;
  /** Undefined: a joiner. */
  readonly taker: string | undefined;
  readonly sinceMillis: number;
}

export class Rescue {
  readonly #workerId: string;
  readonly #failoverTimeMillis: number;
  #untaken: Untaken = new Map();
  /**
   * By lease: the worker that is to take it up, and since when. If another worker becomes the planned owner,
   * the time starts again.
   */
  #takers: ReadonlyMap<string, Taker> = new Map();
  /** Overdue leases that a scan has confirmed as untaken. */
  #verified: ReadonlySet<string> = new Set();
  readonly #passedOver = new Map<string, { readonly untilMillis: number; readonly millis: number }>();

  constructor(workerId: string, failoverTimeMillis: number) {
    this.#workerId = workerId;
    this.#failoverTimeMillis = failoverTimeMillis;
  }

  /** Restarts observation. */
  reset(): void {
    this.#untaken = new Map();
    this.#takers = new Map();
    this.#verified = new Set();
  }

  /** Leases (`untakenKey`) that this worker takes, whichever worker they are planned for. */
  get due(): ReadonlySet<string> {
    return this.#verified;
  }

  passedOver(nowMillis: number): ReadonlySet<string> {
    for (const [id, { untilMillis, millis }] of this.#passedOver)
      if (nowMillis > untilMillis + millis) this.#passedOver.delete(id);
    const still = [...this.#passedOver].filter(([, { untilMillis }]) => nowMillis < untilMillis);
    return new Set(still.map(([id]) => id));
  }

  /**
   * Observes the untaken leases. Overdue ones are first checked in a fresh scan, because taking up a lease
   * does not move the fleet version.
   */
  watchOver(poller: FleetPoller, untaken: readonly UntakenLease[], nowMillis: number): void {
    // Where the leader assigns, only the leader and its deputy scan. They pass over the worker and assign the
    // lease again.
    const reads = poller.role === "reads";
    const rescuers = reads ? this.#rescuers(poller, untaken) : poller.leaders;
    if (reads) this.#learn(poller.cache, nowMillis);
    if (!poller.isObserving) this.reset();
    else if (this.observe(untaken, rescuers, nowMillis, !reads) === "look-up") poller.distrust();
  }

  /**
   * A lease was pending for one worker, and every write since has changed its owner. So a rescuer took it and
   * passes over that worker. All workers must pass it over too, or they would give it the next lease
   * (seed 1322894).
   */
  #learn({ table }: FleetCache, nowMillis: number): void {
    for (const { lease, taker } of this.#takers.values()) {
      const row = table.get(lease.leaseKey);
      if (lease.isPending !== true || row === undefined || taker === undefined) continue;
      const writes = row.counter - lease.counter;
      // A claim by the worker that the lease was pending for does not change the owner.
      const switches = row.ownerSwitchesSinceCheckpoint - lease.ownerSwitchesSinceCheckpoint;
      if (writes > 0 && switches === writes && taker !== this.#workerId) this.#passOver(taker, nowMillis);
    }
  }

  /**
   * The workers with room. If only workers that do not take up their leases have room, all other active
   * workers: a cap that depends on the number of workers grows once those are passed over.
   */
  #rescuers({ cache }: FleetPoller, untaken: readonly UntakenLease[]): readonly string[] {
    const takers = new Set(untaken.map(({ taker }) => taker));
    const withRoom = cache.idsWithRoom();
    if (withRoom.some((id) => !takers.has(id))) return withRoom;
    const active = cache.members().filter(({ state }) => state === "active");
    return active.map(({ workerId }) => workerId).filter((id) => !takers.has(id));
  }

  /** @returns "look-up": scan now, because overdue leases may only look untaken */
  observe(
    leases: readonly UntakenLease[],
    withRoom: readonly string[],
    nowMillis: number,
    isAssigned = false,
  ): "look-up" | undefined {
    this.#untaken = observeUntaken(
      this.#untaken,
      leases.map(({ lease }) => lease),
      nowMillis,
    );
    const afterMillis = rescueAfterMillis(this.#workerId, withRoom, this.#failoverTimeMillis, isAssigned);
    const due =
      afterMillis === undefined ? new Set<string>() : overdue(this.#untaken, afterMillis, nowMillis);
    const isKnown = [...due].every((key) => this.#verified.has(key));
    // A leader that assigns but cannot claim would assign to itself what its deputy assigns to others
    // (seed 942132).
    const mayPassItself = isAssigned && withRoom.length > 1;
    const takers = new Map<string, Taker>();
    for (const { lease, taker } of leases) {
      const key = untakenKey(lease);
      const known = this.#takers.get(key);
      const isSame = known !== undefined && known.taker === taker;
      const sinceMillis = isSame ? known.sinceMillis : nowMillis;
      takers.set(key, { lease, taker, sinceMillis });
      const isLate = afterMillis !== undefined && nowMillis - sinceMillis > afterMillis;
      const isOverdue = isLate && due.has(key) && this.#verified.has(key);
      const mayPass = taker !== undefined && (taker !== this.#workerId || mayPassItself);
      if (isOverdue && mayPass) this.#passOver(taker, nowMillis);
    }
    this.#takers = takers;
    this.#verified = due;
    return isKnown ? undefined : "look-up";
  }

  #passOver(taker: string, nowMillis: number): void {
    const known = this.#passedOver.get(taker);
    if (known !== undefined && nowMillis < known.untilMillis) return;
    const millis = Math.min(
      MAX_PASSED_OVER_MILLIS,
      known === undefined ? PASSED_OVER_MILLIS : 2 * known.millis,
    );
    this.#passedOver.set(taker, { untilMillis: nowMillis + millis, millis });
  }
}
