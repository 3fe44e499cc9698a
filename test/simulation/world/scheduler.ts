/**
 * Virtual time. Owns the queue of all future events. Runs one event, lets every promise chain that it started
 * settle, then runs the next. Events at the same instant run in a seeded order.
 *
 * Settling: a `process.nextTick` callback that is queued from a microtask runs only when the microtask queue
 * is empty. So "run the event, queue a microtask that queues the next tick" is a barrier without an iteration
 * of the event loop (a `setImmediate` per event costs several times as much). The engine under simulation
 * does no real I/O.
 */
import type { Prng } from "./prng.ts";
import { textHash } from "./prng.ts";

export interface Scheduled {
  cancelled: boolean;
}

interface Entry extends Scheduled {
  readonly at: number;
  readonly tie: number;
  readonly label: string;
  readonly run: () => void;
}

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.tie < b.tie);

export class Scheduler {
  /** Virtual milliseconds since the start of the run. */
  now = 0;
  /** Events run so far. */
  steps = 0;
  #hash = 0x811c9dc5;
  readonly #prng: Prng;
  readonly #heap: Entry[] = [];

  constructor(prng: Prng) {
    this.#prng = prng.fork("ties");
  }

  /** Hash of everything that has happened, in order: two runs of one seed must agree on it. */
  get traceHash(): string {
    return this.#hash.toString(16).padStart(8, "0");
  }

  /** Adds a text to the trace that is not an event of its own. */
  trace(text: string): void {
    this.#hash = textHash(text, this.#hash);
  }

  at(time: number, label: string, run: () => void): Scheduled {
    const entry: Entry = {
      at: Math.max(time, this.now),
      tie: this.#prng.next(),
      label,
      run,
      cancelled: false,
    };
    this.#push(entry);
    return entry;
  }

  after(millis: number, label: string, run: () => void): Scheduled {
    return this.at(this.now + millis, label, run);
  }

  /**
   * Runs until `until` returns true (called after every event), virtual time reaches `limit`, or no event is
   * left.
   */
  run(limit: number, until: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = () => {
        try {
          if (until()) return resolve();
          let entry = this.#heap[0];
          while (entry?.cancelled) {
            this.#pop();
            entry = this.#heap[0];
          }
          if (entry === undefined || entry.at > limit) {
            this.now = Math.max(this.now, limit);
            return resolve();
          }
          this.#pop();
          this.now = entry.at;
          this.steps += 1;
          this.trace(`${entry.at}${entry.label}`);
          entry.run();
        } catch (error) {
          return reject(error);
        }
        // From time to time a real iteration of the event loop, so that signals and a terminal's progress
        // line get through.
        if (this.steps % 8192 === 0) setImmediate(step);
        else settled(step);
      };
      // What was done before this call has consequences at this very instant: time must not jump past them.
      settled(step);
    });
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

/** Calls `step` when every promise chain that can continue has done so. */
const settled = (step: () => void): void => queueMicrotask(() => process.nextTick(step));
