/** The marks of a run: requests, worker starts and new children, with their times. From the `event` lines. */
import { childrenOf, type EventLine, parentsOf, workerOf } from "./events.ts";

export interface Phase {
  readonly name: string;
  readonly startedAt: number;
  readonly endedAt: number;
}

export class Marks {
  readonly starts: { readonly t: number; readonly worker: string }[] = [];
  readonly kills: { readonly t: number; readonly worker: string }[] = [];
  /** Ends of processes that were asked to stop. */
  readonly stops: { readonly t: number; readonly worker: string }[] = [];
  /** Child shard → time at which the stream listed it. */
  readonly children = new Map<string, number>();
  readonly parents: Record<string, readonly string[]> = {};
  splitRequestedAt: number | undefined;
  splitDoneAt: number | undefined;
  scaleRequestedAt: number | undefined;
  stopRequestedAt: number | undefined;
  readonly #phaseStarts: { readonly name: string; readonly t: number }[] = [];

  observe(event: EventLine): void {
    const worker = workerOf(event) ?? "";
    switch (event.name) {
      case "task-started":
        this.starts.push({ t: event.t, worker });
        break;
      case "task-killed":
        this.kills.push({ t: event.t, worker });
        break;
      case "task-stopped":
        this.stops.push({ t: event.t, worker });
        break;
      case "split-requested":
        this.splitRequestedAt ??= event.t;
        break;
      case "split-done":
        this.splitDoneAt = Math.max(this.splitDoneAt ?? 0, event.t);
        for (const child of childrenOf(event))
          if (!this.children.has(child)) this.children.set(child, event.t);
        Object.assign(this.parents, parentsOf(event));
        break;
      case "lineage":
        Object.assign(this.parents, parentsOf(event));
        break;
      case "scale-requested":
        this.scaleRequestedAt ??= event.t;
        break;
      case "stop-requested":
        this.stopRequestedAt ??= event.t;
        break;
      case "phase":
        this.#phaseStarts.push({ name: String(event.phase), t: event.t });
        break;
      default: // other writers' names: kept in the file, no mark
    }
  }

  /** The window of the initial workers: until the first request or fault. */
  get initialWindow(): { from: number | undefined; until: number } {
    const until = Math.min(...this.#disturbances().filter((t) => t !== undefined), Number.POSITIVE_INFINITY);
    return { from: this.#lastStart(Number.NEGATIVE_INFINITY, until), until };
  }

  /** From the end of the reshard until scaling is requested. */
  get splitWindow(): { from: number | undefined; until: number } {
    const until = Math.min(this.scaleRequestedAt ?? Number.POSITIVE_INFINITY, this.#settlingEnd);
    return { from: this.splitDoneAt ?? this.splitRequestedAt, until };
  }

  /**
   * From the last start of an added worker (or from the request, if none was added) until the teardown or a
   * fault.
   */
  get scaleWindow(): { from: number | undefined; until: number } {
    const until = this.#settlingEnd;
    const requested = this.scaleRequestedAt;
    if (requested === undefined) return { from: this.splitDoneAt ?? this.initialWindow.from, until };
    return { from: this.#lastStart(requested, until) ?? requested, until };
  }

  /** The end of the time in which the distribution must become even: the teardown, or an injected fault. */
  get #settlingEnd(): number {
    const faults = this.kills.map(({ t }) => t).filter((t) => t >= (this.scaleRequestedAt ?? 0));
    return Math.min(this.stopRequestedAt ?? Number.POSITIVE_INFINITY, ...faults);
  }

  #disturbances(): (number | undefined)[] {
    return [this.splitRequestedAt, this.scaleRequestedAt, this.stopRequestedAt, this.kills[0]?.t];
  }

  #lastStart(from: number, until: number): number | undefined {
    const times = this.starts.map(({ t }) => t).filter((t) => t >= from && t < until);
    return times.length === 0 ? undefined : Math.max(...times);
  }

  /** The phases according to their marks. The last phase ends with the history. */
  phases(end: number): Phase[] {
    return this.#phaseStarts.map(({ name, t }, i) => ({
      name,
      startedAt: t,
      endedAt: this.#phaseStarts[i + 1]?.t ?? this.stopRequestedAt ?? end,
    }));
  }
}
