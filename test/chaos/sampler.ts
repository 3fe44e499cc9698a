/**
 * Samples a row while it runs: the lease table twice a second into the history, how many records wait, and
 * how long the endpoint takes to answer a caller without faults.
 */
import { ResourceNotFoundException } from "@aws-sdk/client-kinesis";
import type { Clients } from "../../lab/aws/clients.ts";
import { streamStatus } from "../../lab/aws/stream.ts";
import { type LeaseTable as LeaseRows, leaseTable } from "../../lab/fleet/lease-table.ts";
import type { Snapshot } from "../../lab/fleet/state.ts";
import { type LeaseState, loadsOf } from "../../lab/history/lease-timeline.ts";
import { type Flow, HistoryTail } from "../../lab/history/tail.ts";
import type { HistoryEvent } from "../../services/contract/history.ts";
import { systemClock } from "../../src/platform.ts";

const SAMPLE_MILLIS = 500;
const ASK_KINESIS_MILLIS = 2_000;

export interface Sample {
  readonly snapshot: Snapshot;
  readonly flow: Flow;
}

export interface SamplerDeps {
  readonly clients: Clients;
  /** The name of the stream and the table. */
  readonly name: string;
  readonly historyDirectory: string;
  readonly write: (event: HistoryEvent) => void;
}

export class Sampler {
  readonly #rows: LeaseRows;
  readonly #tail: HistoryTail;
  readonly #write: SamplerDeps["write"];
  readonly #stopping = new AbortController();
  readonly #clients: Clients;
  readonly #name: string;
  readonly #answers: { readonly t: number; readonly millis: number }[] = [];
  #loop: Promise<void> | undefined;
  #latest: Sample | undefined;

  constructor({ clients, name, historyDirectory, write }: SamplerDeps) {
    this.#clients = clients;
    this.#name = name;
    this.#rows = leaseTable(clients, name, systemClock);
    this.#tail = new HistoryTail(historyDirectory);
    this.#write = write;
  }

  /** Undefined before the table exists. */
  get latest(): Sample | undefined {
    return this.#latest;
  }

  /** Called when the first worker is active: then the table exists. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** Rejects with the error that ended it, if any. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async flow(): Promise<Flow> {
    return this.#tail.poll();
  }

  /** The longest that DynamoDB or Kinesis took to answer a call that ended after `from`. */
  slowestAnswerMillis(from: number): number {
    return Math.max(0, ...this.#answers.filter(({ t }) => t >= from).map(({ millis }) => millis));
  }

  async #run(): Promise<void> {
    let askKinesisAt = 0;
    while (!this.#stopping.signal.aborted) {
      const startedAt = systemClock.monotonicMillis();
      const snapshot = await this.#timed(() => this.#rows.snapshot());
      if (startedAt >= askKinesisAt) {
        askKinesisAt = startedAt + ASK_KINESIS_MILLIS;
        await this.#timed(() => this.#askKinesis());
      }
      this.#write(leasesLine(snapshot));
      this.#latest = { snapshot, flow: await this.#tail.poll() };
      const spent = systemClock.monotonicMillis() - startedAt;
      await systemClock.sleep(Math.max(50, SAMPLE_MILLIS - spent), this.#stopping.signal);
    }
  }

  async #timed<T>(call: () => Promise<T>): Promise<T> {
    const startedAt = systemClock.monotonicMillis();
    const answer = await call();
    this.#answers.push({ t: systemClock.wallMillis(), millis: systemClock.monotonicMillis() - startedAt });
    return answer;
  }

  async #askKinesis(): Promise<void> {
    try {
      await streamStatus(this.#clients, this.#name);
    } catch (error) {
      // A row may have deleted it: that is an answer, too.
      if (!(error instanceof ResourceNotFoundException)) throw error;
    }
  }
}

/** Every shard is owned by one of `workers`, and their counts differ by at most one. */
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
