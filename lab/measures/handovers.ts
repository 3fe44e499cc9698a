/**
 * Leases that changed owner: as the workers report it (lease lines), and as the shard's reads show it (batch
 * lines).
 */
import type { HistoryEvent } from "../../services/contract/history.ts";

export interface Acquisition {
  readonly t: number;
  readonly leaseKey: string;
  readonly worker: string;
  readonly action: "claimed" | "received";
  readonly reason: string;
}

/** A shard's reading continued on another worker. */
export interface Handover {
  readonly shardId: string;
  readonly from: string;
  readonly to: string;
  /** The old owner finished its last batch. */
  readonly finishedAt: number;
  /** The new owner's first GetRecords. */
  readonly readAt: number;
  readonly gapMillis: number;
  /** The old owner handed it over. False: the new owner took it after an expiry. */
  readonly planned: boolean;
}

export class Handovers {
  readonly acquisitions: Acquisition[] = [];
  readonly handovers: Handover[] = [];
  readonly #newest = new Map<string, Acquisition>();
  readonly #lastBatch = new Map<string, { worker: string; t: number }>();

  observe(event: HistoryEvent): void {
    if (event.type === "lease" && (event.action === "claimed" || event.action === "received")) {
      const { t, leaseKey, worker, action, reason } = event;
      const acquisition: Acquisition = { t, leaseKey, worker, action, reason };
      this.acquisitions.push(acquisition);
      this.#newest.set(leaseKey, acquisition);
    } else if (event.type === "batch") {
      this.#batch(event);
    }
  }

  #batch({ shardId, worker, t, readAt }: Extract<HistoryEvent, { type: "batch" }>): void {
    const last = this.#lastBatch.get(shardId);
    this.#lastBatch.set(shardId, { worker, t });
    if (last === undefined || last.worker === worker) return;
    const move = this.#newest.get(shardId);
    this.handovers.push({
      shardId,
      from: last.worker,
      to: worker,
      finishedAt: last.t,
      readAt,
      gapMillis: Math.max(0, readAt - last.t),
      planned: move?.worker === worker && move.action === "received",
    });
  }
}
