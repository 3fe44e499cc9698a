import type { Member } from "../core/member.ts";
import type { Ports } from "./engine-context.ts";

/**
 * Marks expired members dead, each incarnation once unless the call fails: after it, a stale read may still
 * show the member alive. Entries older than the failover time are dropped, to bound the memory.
 */
export class DeadMarker {
  readonly #ports: Ports;
  readonly #failoverTimeMillis: number;
  readonly #marked = new Map<string, number>();

  constructor(ports: Ports, failoverTimeMillis: number) {
    this.#ports = ports;
    this.#failoverTimeMillis = failoverTimeMillis;
  }

  /** @returns whether this call marked it */
  async mark(fleetRow: number, member: Member): Promise<boolean> {
    const { clock, store, logger } = this.#ports;
    const now = clock.monotonicMillis();
    for (const [known, at] of this.#marked)
      if (now - at > this.#failoverTimeMillis) this.#marked.delete(known);
    if (this.#marked.has(member.incarnation)) return false;
    if ((await store.markDead(fleetRow, member)) !== "declared") return false;
    this.#marked.set(member.incarnation, now);
    const message = "worker declared dead: its heartbeat has not moved for the failover time";
    logger.warn({ member: member.workerId }, message);
    return true;
  }
}
