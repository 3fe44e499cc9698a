/**
 * The state of a fleet at one moment, computed from lease rows and fleet rows. Pure. The monitor, the
 * experiment and `view-distribution` all use this state.
 *
 * A lease is *ended* at SHARD_END. It is *blocked* while a parent's lease is not ended. It is *draining* when
 * it is open although its shard was split (a child's lease exists). The load is every lease that is neither
 * ended nor blocked.
 */
import {
  actualOwner,
  type FleetRow,
  type Lease,
  type Member,
  type PlanWorker,
  planLeases,
} from "../../src/inspect.ts";

const SHARD_END = "SHARD_END";

export interface Snapshot {
  readonly t: number;
  readonly leases: readonly Lease[];
  readonly corrupt: readonly { readonly leaseKey: string; readonly problem: string }[];
  readonly fleetRows: readonly FleetRow[];
}

type LeaseState = "open" | "draining" | "blocked" | "ended";

export interface LeaseView {
  readonly leaseKey: string;
  readonly owner: string | undefined;
  readonly state: LeaseState;
  readonly checkpoint: string;
  readonly parents: readonly string[];
}

export interface WorkerView {
  readonly workerId: string;
  /** "unknown": owns leases but is not a member (a Java worker, or one that is gone). */
  readonly state: Member["state"] | "unknown";
  readonly open: number;
  readonly draining: number;
  readonly blocked: number;
  readonly cap: number | undefined;
}

export interface FleetState {
  readonly t: number;
  readonly workers: readonly WorkerView[];
  readonly leases: readonly LeaseView[];
  /** Readable shards without an owner. */
  readonly unowned: readonly string[];
  readonly blocked: number;
  readonly draining: number;
  readonly ended: number;
  /** Open and draining leases: the load that the fleet divides. */
  readonly load: number;
  readonly fleetVersion: number | undefined;
  /**
   * Number of leases that would move under the plan a worker makes from these rows (`planLeases`), before it
   * has observed which workers are expired.
   */
  readonly plannedMoves: number;
  readonly corrupt: readonly string[];
}

export function fleetState(snapshot: Snapshot): FleetState {
  const leases = viewLeases(snapshot.leases);
  const members = snapshot.fleetRows.flatMap((fleetRow) => fleetRow.members);
  const count = (state: LeaseState) => leases.filter((lease) => lease.state === state).length;
  const workers = viewWorkers(leases, members);
  return {
    t: snapshot.t,
    workers,
    leases,
    unowned: leases.filter((l) => isLoad(l) && l.owner === undefined).map((l) => l.leaseKey),
    blocked: count("blocked"),
    draining: count("draining"),
    ended: count("ended"),
    load: leases.filter(isLoad).length,
    fleetVersion: snapshot.fleetRows.find((fleetRow) => fleetRow.number === 0)?.version,
    plannedMoves: plannedMoves(snapshot.leases, leases, members),
    corrupt: snapshot.corrupt.map(({ leaseKey, problem }) => `${leaseKey}: ${problem}`),
  };
}

/**
 * Joiners are included in the plan, as the workers do (`core/decide.ts`). A non-member owner is included but
 * neither gives nor receives leases: one snapshot does not show whether it is alive.
 */
function plannedMoves(
  rows: readonly Lease[],
  views: readonly LeaseView[],
  members: readonly Member[],
): number {
  const load = new Set(views.filter(isLoad).map((lease) => lease.leaseKey));
  const runnable = rows.filter((row) => load.has(row.leaseKey));
  const workers: PlanWorker[] = members
    .filter(({ state }) => state !== "dead")
    .map(({ workerId, state, maxLeases, steals }) => ({
      ...{ workerId, maxLeases, steals },
      role: state === "leaving" ? "leaving" : "active",
    }));
  if (workers.length === 0) return 0;
  const known = new Set(members.map(({ workerId }) => workerId));
  const nonMembers = new Set(runnable.map(actualOwner).filter((id) => id !== undefined && !known.has(id)));
  for (const workerId of nonMembers)
    workers.push({ workerId: workerId!, role: "foreign", maxLeases: undefined, steals: false });
  return planLeases(runnable, workers).moves.length;
}

const isLoad = (lease: LeaseView): boolean => lease.state === "open" || lease.state === "draining";

function viewLeases(leases: readonly Lease[]): LeaseView[] {
  const open = new Set(
    leases.filter((l) => l.checkpoint.sequenceNumber !== SHARD_END).map((l) => l.leaseKey),
  );
  const split = new Set(leases.flatMap((l) => l.parentShardIds));
  const stateOf = (lease: Lease): LeaseState => {
    if (!open.has(lease.leaseKey)) return "ended";
    if (lease.parentShardIds.some((parent) => open.has(parent))) return "blocked";
    return split.has(lease.leaseKey) ? "draining" : "open";
  };
  return leases
    .map((lease) => ({
      leaseKey: lease.leaseKey,
      owner: lease.owner,
      state: stateOf(lease),
      checkpoint: lease.checkpoint.sequenceNumber,
      parents: lease.parentShardIds,
    }))
    .toSorted((a, b) => (a.leaseKey < b.leaseKey ? -1 : 1));
}

function viewWorkers(leases: readonly LeaseView[], members: readonly Member[]): WorkerView[] {
  const byId = new Map(members.map((member) => [member.workerId, member]));
  const owners = leases
    .filter((l) => l.state !== "ended")
    .flatMap((l) => (l.owner === undefined ? [] : [l.owner]));
  const ids = [...new Set([...byId.keys(), ...owners])].toSorted();
  return ids.map((workerId) => {
    const own = leases.filter((lease) => lease.owner === workerId);
    const count = (state: LeaseState) => own.filter((lease) => lease.state === state).length;
    const member = byId.get(workerId);
    return {
      workerId,
      state: member?.state ?? "unknown",
      open: count("open"),
      draining: count("draining"),
      blocked: count("blocked"),
      cap: member?.maxLeases,
    };
  });
}

/** A lease that changed owner. A lease that was read to its end and released does not count. */
export interface Move {
  readonly t: number;
  readonly leaseKey: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

export function movesBetween(before: FleetState, after: FleetState): Move[] {
  const owners = new Map(before.leases.map((lease) => [lease.leaseKey, lease.owner]));
  return after.leases.flatMap(({ leaseKey, owner, state }) =>
    state !== "ended" && owners.has(leaseKey) && owners.get(leaseKey) !== owner
      ? [{ t: after.t, leaseKey, from: owners.get(leaseKey), to: owner }]
      : [],
  );
}

/** Workers that participate: all except leaving or dead workers that own nothing. */
const takesPart = (worker: WorkerView): boolean =>
  worker.open + worker.draining > 0 || (worker.state !== "dead" && worker.state !== "leaving");

const MAX_SHOWN = 12;

/** `7/7/6`: each worker's share of the load, highest first. */
export function distribution(state: FleetState): string {
  const counts = state.workers
    .filter(takesPart)
    .map((worker) => worker.open + worker.draining)
    .toSorted((a, b) => b - a);
  const more = counts.length > MAX_SHOWN ? `/… (${counts.length} workers)` : "";
  return counts.slice(0, MAX_SHOWN).join("/") + more;
}

/**
 * Every shard is owned, by exactly `workers` workers, with counts that differ by at most one, and no parent
 * is left.
 */
export function isEven(state: FleetState, shards: number, workers: number): boolean {
  const fleet = state.workers.filter(takesPart);
  const counts = fleet.map((worker) => worker.open);
  return (
    state.load === shards &&
    state.draining === 0 &&
    state.blocked === 0 &&
    state.unowned.length === 0 &&
    fleet.length === workers &&
    Math.max(...counts) - Math.min(...counts) <= 1
  );
}

/** Shortens a worker id, which contains a long task id. The beginning and the end distinguish workers. */
export function shortWorker(workerId: string, width: number): string {
  if (workerId.length <= width) return workerId;
  const tail = Math.floor((width - 1) / 2);
  return `${workerId.slice(0, width - 1 - tail)}…${workerId.slice(-tail)}`;
}
