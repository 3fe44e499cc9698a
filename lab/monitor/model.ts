/**
 * What a fleet looks like at one moment, worked out from lease rows and fleet pages. Pure: the monitor, the
 * experiment and `view-distribution` all show and judge this one state.
 *
 * A lease is *ended* at SHARD_END, *blocked* while a parent's lease is not, *draining* when it is open though its
 * shard was split (a child's lease exists). Load is what is neither ended nor blocked.
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
  /** "unknown": owns leases but has no membership (a Java worker, or one that is gone). */
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
  /** Shards that could be read and that nobody owns. */
  readonly unowned: readonly string[];
  readonly blocked: number;
  readonly draining: number;
  readonly ended: number;
  /** Open and draining: what the fleet shares out. */
  readonly load: number;
  readonly generation: number | undefined;
  /** Leases that change hands by the plan that a worker makes of these rows (`planLeases`), before it has observed who is silent. */
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
    generation: snapshot.fleetRows.find((fleetRow) => fleetRow.number === 0)?.version,
    plannedMoves: plannedMoves(snapshot.leases, leases, members),
    corrupt: snapshot.corrupt.map(({ leaseKey, problem }) => `${leaseKey}: ${problem}`),
  };
}

/**
 * A joiner is planned with, as the workers do (`core/decide.ts`). So is an owner without an entry, which gives and gets
 * nothing: whether it is alive, one look cannot tell.
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

/** A lease that changed hands. One that is read to its end and given up has not. */
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

/** Who takes part: all but workers that are leaving or dead and own nothing any more. */
const takesPart = (worker: WorkerView): boolean =>
  worker.open + worker.draining > 0 || (worker.state !== "dead" && worker.state !== "leaving");

const MAX_SHOWN = 12;

/** `7/7/6`: what each worker owns of the load, most first. */
export function distribution(state: FleetState): string {
  const counts = state.workers
    .filter(takesPart)
    .map((worker) => worker.open + worker.draining)
    .toSorted((a, b) => b - a);
  const more = counts.length > MAX_SHOWN ? `/… (${counts.length} workers)` : "";
  return counts.slice(0, MAX_SHOWN).join("/") + more;
}

/** Every shard owned, by exactly `workers` workers, none with more than one above another, and no parent left over. */
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

/** Worker ids carry long task ids: the beginning and the end tell them apart. */
export function shortWorker(workerId: string, width: number): string {
  if (workerId.length <= width) return workerId;
  const tail = Math.floor((width - 1) / 2);
  return `${workerId.slice(0, width - 1 - tail)}…${workerId.slice(-tail)}`;
}
