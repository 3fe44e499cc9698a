/**
 * The owner of each lease over time, from the `leases` samples. Stored as changes, so memory grows with
 * moves, not with time. A deployment may start workers before the sampler; until the first sample, the
 * workers' `lease` lines replace it.
 */
import type { HistoryEvent } from "../../services/contract/history.ts";
import type { Parents } from "./events.ts";

export interface LeaseState {
  readonly owner: string | null;
  /** Checkpoint SHARD_END: every record of the shard is processed. */
  readonly ended: boolean;
}

export type LeaseTable = ReadonlyMap<string, LeaseState>;

interface Change {
  readonly t: number;
  readonly leaseKey: string;
  /** Undefined: the row was removed. */
  readonly state: LeaseState | undefined;
}

export class LeaseTimeline {
  readonly changes: Change[] = [];
  readonly #table = new Map<string, LeaseState>();
  /** First sample that showed a row for this lease. */
  readonly firstSeen = new Map<string, number>();
  firstSampleAt: number | undefined;
  lastSampleAt: number | undefined;

  observe(sample: Extract<HistoryEvent, { type: "leases" }>): void {
    this.firstSampleAt ??= sample.t;
    this.lastSampleAt = sample.t;
    for (const [leaseKey, owner] of Object.entries(sample.owners)) {
      const ended = sample.checkpoints[leaseKey] === "SHARD_END";
      const before = this.#table.get(leaseKey);
      if (!this.firstSeen.has(leaseKey)) this.firstSeen.set(leaseKey, sample.t);
      if (before !== undefined && before.owner === owner && before.ended === ended) continue;
      this.#change({ t: sample.t, leaseKey, state: { owner, ended } });
    }
    if (this.#table.size === Object.keys(sample.owners).length) return;
    for (const leaseKey of this.#table.keys()) {
      if (!(leaseKey in sample.owners)) this.#change({ t: sample.t, leaseKey, state: undefined });
    }
  }

  observeLease({ t, leaseKey, worker, action }: Extract<HistoryEvent, { type: "lease" }>): void {
    if (this.firstSampleAt !== undefined) return;
    if (action === "claimed" || action === "received") {
      this.#change({ t, leaseKey, state: { owner: worker, ended: false } });
    } else if (action === "completed" || action === "released") {
      this.#change({ t, leaseKey, state: { owner: null, ended: action === "completed" } });
    }
    // "handed-over" and "lost": the new owner's own line names the new owner.
  }

  #change(change: Change): void {
    this.changes.push(change);
    if (change.state === undefined) this.#table.delete(change.leaseKey);
    else this.#table.set(change.leaseKey, change.state);
  }

  /** The table after each sample that changed it. The same map is yielded each time: copy what you keep. */
  *tables(): Generator<{ readonly t: number; readonly table: LeaseTable }> {
    const table = new Map<string, LeaseState>();
    for (const [i, { t, leaseKey, state }] of this.changes.entries()) {
      if (state === undefined) table.delete(leaseKey);
      else table.set(leaseKey, state);
      if (this.changes[i + 1]?.t !== t) yield { t, table };
    }
  }

  /** The table according to the last sample at or before `t`. */
  tableAt(t: number): LeaseTable {
    const table = new Map<string, LeaseState>();
    for (const change of this.changes) {
      if (change.t > t) break;
      if (change.state === undefined) table.delete(change.leaseKey);
      else table.set(change.leaseKey, change.state);
    }
    return table;
  }
}

/**
 * Leases with work to do: not ended, and not a child whose parent is still being read according to the
 * parent's row. A parent without a row blocks no child.
 */
export function liveLeases(table: LeaseTable, parents: Parents): [string, LeaseState][] {
  return [...table].filter(([leaseKey, state]) => {
    const blocked = (parents[leaseKey] ?? []).some((parent) => table.get(parent)?.ended === false);
    return !state.ended && !blocked;
  });
}

export interface Loads {
  /** Live leases per worker. Workers without any are absent. */
  readonly byWorker: ReadonlyMap<string, number>;
  readonly unowned: readonly string[];
}

export function loadsOf(table: LeaseTable, parents: Parents): Loads {
  const byWorker = new Map<string, number>();
  const unowned: string[] = [];
  for (const [leaseKey, { owner }] of liveLeases(table, parents)) {
    if (owner === null) unowned.push(leaseKey);
    else byWorker.set(owner, (byWorker.get(owner) ?? 0) + 1);
  }
  return { byWorker, unowned };
}

/** "7/7/6": highest first. */
export const loadsText = (counts: Iterable<number>): string =>
  [...counts].toSorted((a, b) => b - a).join("/") || "none";

/**
 * All shards are owned, with the counts in `expected` (highest first). A worker expected to hold no lease
 * does not appear in a table.
 */
export function isSpreadAs(table: LeaseTable, parents: Parents, expected: readonly number[]): boolean {
  const { byWorker, unowned } = loadsOf(table, parents);
  return (
    unowned.length === 0 && loadsText(byWorker.values()) === loadsText(expected.filter((count) => count > 0))
  );
}

/**
 * The first sample at or after `from` from which every sample before `until` is distributed as expected.
 * Undefined: at the end of the window it was not.
 */
export function settledAt(
  timeline: LeaseTimeline,
  parents: Parents,
  window: { readonly from: number; readonly until: number },
  expected: readonly number[],
): number | undefined {
  let since: number | undefined;
  for (const { t, table } of timeline.tables()) {
    if (t >= window.until) break;
    if (!isSpreadAs(table, parents, expected)) since = undefined;
    else since ??= Math.max(t, window.from);
  }
  return since;
}
