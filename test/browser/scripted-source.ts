/** A fleet that does what a test tells it: the page's source without a deployment. */
import type { Snapshot } from "../../lab/fleet/state.ts";
import {
  emptyMonitor,
  type MonitorState,
  withFlow,
  withProblem,
  withSnapshot,
} from "../../lab/monitor/monitor.ts";
import type { SnapshotSource, SourceListener } from "../../lab/monitor/web/snapshot-source.ts";
import type { HistoryEvent } from "../../services/contract/history.ts";
import type { Lease, Member } from "../../src/inspect.ts";

export interface Fleet {
  /** Shard number → owner; undefined: unowned. */
  readonly owners: Readonly<Record<number, string | undefined>>;
  /** Shard number → parents' numbers. */
  readonly parents?: Readonly<Record<number, readonly number[]>>;
  readonly ended?: readonly number[];
  readonly members: readonly string[];
  readonly cap?: number;
}

export const shardId = (number: number): string => `shardId-${String(number).padStart(12, "0")}`;

const lease = ({ parents = {}, ended = [] }: Fleet, number: number, owner: string | undefined): Lease => ({
  leaseKey: shardId(number),
  owner,
  counter: 1,
  checkpoint: { sequenceNumber: ended.includes(number) ? "SHARD_END" : "TRIM_HORIZON", subSequenceNumber: 0 },
  ownerSwitchesSinceCheckpoint: 0,
  parentShardIds: (parents[number] ?? []).map(shardId),
  childShardIds: [],
  hashRange: undefined,
  checkpointOwner: undefined,
});

const member = (workerId: string, maxLeases: number | undefined): Member => ({
  workerId,
  incarnation: "1",
  heartbeat: 1,
  state: "active",
  maxLeases,
  steals: true,
  failoverTimeMillis: 10_000,
});

export function snapshotOf(fleet: Fleet, t: number): Snapshot {
  const leases = Object.entries(fleet.owners).map(([number, owner]) => lease(fleet, Number(number), owner));
  const members = fleet.members.map((id) => member(id, fleet.cap));
  return { t, leases, corrupt: [], fleetRows: [{ number: 0, version: 1, shardSyncRequests: 0, members }] };
}

export class ScriptedSource implements SnapshotSource {
  readonly title = "Evenkeel · scripted";
  readonly measured = true;
  #state: MonitorState = emptyMonitor(this.title);
  #listener: SourceListener | undefined;
  watches = 0;

  get isWatched(): boolean {
    return this.#listener !== undefined;
  }

  show(fleet: Fleet, t = Date.now()): void {
    this.#tell(withSnapshot(this.#state, snapshotOf(fleet, t)));
  }

  flow(t: number, produced: number, processed: number): void {
    this.#tell(withFlow(this.#state, t, { produced, processed, pending: produced - processed }));
  }

  fail(problem: string): void {
    this.#tell(withProblem(this.#state, problem));
  }

  event(event: HistoryEvent): void {
    this.#listener?.event(event);
  }

  async watch(listener: SourceListener, signal: AbortSignal): Promise<void> {
    this.watches += 1;
    this.#listener = listener;
    listener.state(this.#state);
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    this.#listener = undefined;
  }

  #tell(state: MonitorState): void {
    this.#state = state;
    this.#listener?.state(state);
  }
}
