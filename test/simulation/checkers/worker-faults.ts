/**
 * When a worker had trouble: it crashed, froze, was cut off, or a call of its failed. Only then may it be taken for
 * dead, lose a lease or leave something to be done twice.
 */
import type { SimEvent } from "../world/history.ts";

/** A worker of another make: it takes leases without asking, and from it they are taken in the same way. */
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

  /** A trouble of this worker that overlaps [from, to]. */
  between(worker: string, from: number, to: number): Trouble | undefined {
    return this.#byWorker
      .get(worker)
      ?.find((trouble) => trouble.t <= to && (trouble.until ?? Number.POSITIVE_INFINITY) >= from);
  }

  /** What this worker had in [from, to] was blocks of its event loop, and nothing else. */
  onlyBlocksBetween(worker: string, from: number, to: number): boolean {
    const had = (this.#byWorker.get(worker) ?? []).filter(
      (trouble) => trouble.t <= to && (trouble.until ?? Number.POSITIVE_INFINITY) >= from,
    );
    return had.length > 0 && had.every(({ kind }) => kind === "blocked-loop");
  }

  /** When the last trouble that began before `to` ended; undefined: none, Infinity: it has not. */
  lastEnd(worker: string, to: number): number | undefined {
    let last: number | undefined;
    for (const trouble of this.#byWorker.get(worker) ?? []) {
      if (trouble.t <= to) last = Math.max(last ?? 0, trouble.until ?? Number.POSITIVE_INFINITY);
    }
    return last;
  }
}
