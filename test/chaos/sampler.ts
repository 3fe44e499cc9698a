/** Watches a row while it runs: the lease table twice a second into the history, and how many records wait. */
import type { Clients } from "../../lab/deployment/clients.ts";
import { type LeaseTable as LeaseRows, leaseTable } from "../../lab/deployment/lease-table.ts";
import { type Flow, HistoryTail } from "../../lab/experiment/history-tail.ts";
import { type LeaseState, loadsOf } from "../../lab/history/lease-timeline.ts";
import type { Snapshot } from "../../lab/monitor/model.ts";
import type { HistoryEvent } from "../../services/shared/history.ts";
import { systemClock } from "../../services/shared/platform.ts";

const SAMPLE_MILLIS = 500;

export interface Sample {
  readonly snapshot: Snapshot;
  readonly flow: Flow;
}

export interface SamplerDeps {
  readonly clients: Clients;
  readonly tableName: string;
  readonly historyDirectory: string;
  readonly write: (event: HistoryEvent) => void;
}

export class Sampler {
  readonly #rows: LeaseRows;
  readonly #tail: HistoryTail;
  readonly #write: SamplerDeps["write"];
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;
  #latest: Sample | undefined;

  constructor({ clients, tableName, historyDirectory, write }: SamplerDeps) {
    this.#rows = leaseTable(clients, tableName, systemClock);
    this.#tail = new HistoryTail(historyDirectory);
    this.#write = write;
  }

  /** Undefined before the table is there. */
  get latest(): Sample | undefined {
    return this.#latest;
  }

  /** To be called when the first worker takes part: then there is a table. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** Rejects with what ended it, if something did. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async flow(): Promise<Flow> {
    return this.#tail.poll();
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const startedAt = systemClock.monotonicMillis();
      const snapshot = await this.#rows.snapshot();
      this.#write(leasesLine(snapshot));
      this.#latest = { snapshot, flow: await this.#tail.poll() };
      const spent = systemClock.monotonicMillis() - startedAt;
      await systemClock.sleep(Math.max(50, SAMPLE_MILLIS - spent), this.#stopping.signal);
    }
  }
}

/** Every shard owned by one of `workers`, and no two of them more than one lease apart. */
export function isEven({ snapshot }: Sample, workers: readonly string[]): boolean {
  const table = new Map<string, LeaseState>(
    snapshot.leases.map(({ leaseKey, owner, checkpoint }) => [
      leaseKey,
      { owner: owner ?? null, ended: checkpoint.sequenceNumber === "SHARD_END" },
    ]),
  );
  const { byWorker, unowned } = loadsOf(table, {});
  const loads = workers.map((worker) => byWorker.get(worker) ?? 0);
  const strangers = [...byWorker.keys()].some((owner) => !workers.includes(owner));
  return (
    byWorker.size > 0 && unowned.length === 0 && !strangers && Math.max(...loads) - Math.min(...loads) <= 1
  );
}

function leasesLine({ t, leases }: Snapshot): HistoryEvent {
  return {
    type: "leases",
    t,
    owners: Object.fromEntries(leases.map(({ leaseKey, owner }) => [leaseKey, owner ?? null])),
    checkpoints: Object.fromEntries(
      leases.map(({ leaseKey, checkpoint }) => [leaseKey, checkpoint.sequenceNumber]),
    ),
  };
}
