/**
 * When a worker had a fault: it crashed, froze, was partitioned, or one of its calls failed. Only then may it
 * be marked dead, lose a lease or leave work to be done twice.
 */
import type { SimEvent } from "../world/history.ts";

/** A Java worker takes leases without asking, and leases are taken from it in the same way. */
export const isJava = (worker: string | undefined): boolean => worker?.startsWith("java") ?? false;

/** Two processes with one id have two names in the history (`w2` and `w2~2`), and one in the rows. */
export const idOf = (worker: string): string => worker.replace(/~.*$/, "");

type Trouble = Extract<SimEvent, { type: "trouble" }>;

export class WorkerFaults {
  readonly #byWorker = new Map<string, Trouble[]>();

  constructor(events: readonly SimEvent[]) {
    for (const event of events) {
      if (event.type !== "trouble") continue;
      const known = this.#byWorker.get(event.worker);
      if (known) known.push(event);
      else this.#byWorker.set(event.worker, [event]);
    }
  }

  /** A fault of this worker that overlaps [from, to]. */
  between(worker: string, from: number, to: number): Trouble | undefined {
    return this.#byWorker
      .get(worker)
      ?.find((trouble) => trouble.t <= to && (trouble.until ?? Number.POSITIVE_INFINITY) >= from);
  }

  /** Whether this worker had blocks of its event loop in [from, to], and no other faults. */
  onlyBlocksBetween(worker: string, from: number, to: number): boolean {
    const had = (this.#byWorker.get(worker) ?? []).filter(
      (trouble) => trouble.t <= to && (trouble.until ?? Number.POSITIVE_INFINITY) >= from,
    );
    return had.length > 0 && had.every(({ kind }) => kind === "blocked-loop");
  }

  /**
   * When the faults that began before `to` are over; undefined: there were none; Infinity: one is not over.
   */
  lastEnd(worker: string, to: number): number | undefined {
    let last: number | undefined;
    for (const trouble of this.#byWorker.get(worker) ?? []) {
      if (trouble.t <= to) last = Math.max(last ?? 0, trouble.until ?? Number.POSITIVE_INFINITY);
    }
    return last;
  }
}
