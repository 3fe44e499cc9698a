/** Computes the dashboard change from one fleet state to the next. Pure. */

import { distribution, type FleetState } from "../../fleet/state.ts";
import { inFamilyOrder } from "../../report/shard-rows.ts";
import {
  type Counts,
  type DashboardChange,
  type DashboardHandover,
  type DashboardState,
  type DashboardWorker,
  type LogEntry,
  NOBODY,
  shortShard,
  TURN,
} from "./dashboard-state.ts";

const COLOURS = 10;
const SHORT_ID = 8;
/** More simultaneous moves than this are logged as a number. */
const MAX_NAMED = 3;

export interface FleetNews {
  readonly fleet: FleetState;
  readonly moves: number;
  /** The workers' history provides the hand-overs, so none are derived from the rows. */
  readonly measured: boolean;
}

/**
 * Worker numbers are never reused. The highest is kept outside the dashboard state, which forgets old
 * workers.
 */
export interface Numbering {
  highest: number;
}

export function fleetChange(
  dashboard: DashboardState,
  numbering: Numbering,
  news: FleetNews,
): DashboardChange {
  const { fleet, measured } = news;
  const workers = nextWorkers(dashboard, numbering, fleet);
  const numbers = new Map(workers.map(({ id, number }) => [id, number]));
  const known = new Map(dashboard.tracks.map((track) => [track.key, track]));
  const turns: [string, number, number][] = [];
  const handovers: DashboardHandover[] = [];
  const moved: string[] = [];
  const byNumber = new Map(workers.map((worker) => [worker.number, worker]));
  const name = (number: number) => byNumber.get(number)?.name ?? NOBODY;
  for (const { leaseKey, owner, state } of fleet.leases) {
    const worker = owner === undefined ? 0 : (numbers.get(owner) ?? 0);
    const segments = known.get(leaseKey)?.segments ?? [];
    const last = segments.at(-1);
    if (last !== undefined && last[1] === worker && last[2] === TURN[state]) continue;
    turns.push([leaseKey, worker, TURN[state]]);
    if (last === undefined || state === "ended") continue;
    const before = last[1] !== 0 ? last[1] : segments.at(-2)?.[1];
    if (last[1] !== worker) moved.push(`shard ${shortShard(leaseKey)}: ${name(last[1])} → ${name(worker)}`);
    if (measured || worker === 0 || !before || before === worker) continue;
    const gapMillis = last[1] === 0 ? fleet.t - last[0] : null;
    const from = byNumber.get(before)?.id ?? NOBODY;
    handovers.push({ t: fleet.t, key: leaseKey, from, to: owner ?? NOBODY, gapMillis, how: "seen" });
  }
  const keys = new Set(fleet.leases.map(({ leaseKey }) => leaseKey));
  for (const { key, segments } of dashboard.tracks) {
    if (!keys.has(key) && segments.at(-1)?.[2] !== TURN.removed) turns.push([key, 0, TURN.removed]);
  }
  const added = fleet.leases.filter(({ leaseKey }) => !known.has(leaseKey));
  const counts = countsOf(news);
  return {
    t: fleet.t,
    problem: null,
    counts,
    ...(sameWorkers(dashboard.workers, workers) ? {} : { workers }),
    ...(added.length > 0 ? rowsFor(dashboard, added) : {}),
    ...(turns.length > 0 ? { turns } : {}),
    ...(handovers.length > 0 ? { handovers } : {}),
    ...withLog(fleetLog(dashboard, workers, { added, moved, counts, fleet })),
  };
}

const withLog = (log: readonly LogEntry[]) => (log.length > 0 ? { log } : {});

function rowsFor(
  dashboard: DashboardState,
  added: FleetState["leases"],
): Pick<DashboardChange, "added" | "order"> {
  const all = [
    ...dashboard.tracks.map(({ key, parents }) => ({ key, parents })),
    ...added.map(({ leaseKey, parents }) => ({ key: leaseKey, parents })),
  ];
  const parents = Object.fromEntries(all.map((row) => [row.key, row.parents]));
  return {
    added: added.map(({ leaseKey, parents: own }) => ({ key: leaseKey, parents: own })),
    order: inFamilyOrder(
      all.map(({ key }) => key),
      parents,
    ),
  };
}

function nextWorkers(dashboard: DashboardState, numbering: Numbering, fleet: FleetState): DashboardWorker[] {
  const before = new Map(dashboard.workers.map((worker) => [worker.id, worker]));
  const present = new Set(fleet.workers.map(({ workerId }) => workerId));
  const gone = dashboard.workers
    .filter(({ id }) => !present.has(id))
    .map((worker): DashboardWorker => {
      const seenAt = worker.state === "gone" ? worker.seenAt : fleet.t;
      return { ...worker, state: "gone", open: 0, draining: 0, blocked: 0, seenAt };
    });
  const shown = new Set(dashboard.workers.map(({ colour }) => colour));
  const used = new Set(dashboard.workers.filter(({ id }) => present.has(id)).map(({ colour }) => colour));
  const now = fleet.workers.map(({ workerId, state, open, draining, blocked, cap }): DashboardWorker => {
    const known = before.get(workerId);
    const number = known?.number ?? ++numbering.highest;
    const colour = known?.colour ?? freeColour(shown) ?? freeColour(used) ?? ((number - 1) % COLOURS) + 1;
    shown.add(colour);
    used.add(colour);
    return {
      number,
      name: workerId.length <= SHORT_ID ? workerId : `w${number}`,
      colour,
      id: workerId,
      state,
      open,
      draining,
      blocked,
      cap: cap ?? null,
      seenAt: fleet.t,
    };
  });
  return [...gone, ...now].toSorted((a, b) => a.number - b.number);
}

/**
 * A free colour for a new worker. The caller first tries colours no shown worker has, then colours no present
 * worker has. Undefined: all are taken.
 */
function freeColour(taken: ReadonlySet<number>): number | undefined {
  for (let colour = 1; colour <= COLOURS; colour++) if (!taken.has(colour)) return colour;
  return undefined;
}

/**
 * Whether the visible content is equal. `seenAt` is ignored: it changes with every poll for present workers.
 */
function sameWorkers(a: readonly DashboardWorker[], b: readonly DashboardWorker[]): boolean {
  const shown = (all: readonly DashboardWorker[]) => JSON.stringify(all.map((w) => ({ ...w, seenAt: 0 })));
  return shown(a) === shown(b);
}

function countsOf({ fleet, moves }: FleetNews): Counts {
  const { load, unowned, draining, blocked, ended, plannedMoves, corrupt } = fleet;
  return { load, unowned: unowned.length, draining, blocked, ended, plannedMoves, moves, corrupt };
}

interface Seen {
  readonly added: FleetState["leases"];
  readonly moved: readonly string[];
  readonly counts: Counts;
  readonly fleet: FleetState;
}

function fleetLog(dashboard: DashboardState, workers: readonly DashboardWorker[], seen: Seen): LogEntry[] {
  const { added, moved, counts, fleet } = seen;
  const log: LogEntry[] = [];
  const say = (text: string, tone: LogEntry["tone"] = "plain") => void log.push({ t: fleet.t, text, tone });
  const before = dashboard.counts;
  if (dashboard.problem !== null) say("the endpoint answers again", "good");
  if (before === null) {
    say(
      `${counts.load} shards, ${fleet.workers.length} workers: ${distribution(fleet) || "no leases owned"}`,
    );
    return log;
  }
  const known = new Map(dashboard.workers.map((worker) => [worker.id, worker]));
  for (const { id, name, state } of workers) {
    const was = known.get(id)?.state;
    if (was === state) continue;
    if (state === "gone") say(`${name} is gone`);
    else if (state === "dead") say(`${name} is dead: no heartbeat`, "bad");
    else if (state === "active") say(`${name} takes part (${id})`);
    else if (state !== "unknown") say(`${name} is ${state}${was === undefined ? ` (${id})` : ""}`);
  }
  const parents = new Set(added.flatMap((lease) => lease.parents));
  if (added.length > 0)
    say(
      `${added.length} new ${added.length === 1 ? "shard" : "shards"}${parents.size > 0 ? ` of ${parents.size} parents` : ""}`,
    );
  const ended = counts.ended - before.ended;
  if (ended > 0) say(`${ended} ${ended === 1 ? "shard" : "shards"} read to the end`);
  if (moved.length > MAX_NAMED) say(`${moved.length} leases changed hands`);
  else for (const move of moved) say(move);
  if (before.unowned === 0 && counts.unowned > 0)
    say(counts.unowned === 1 ? "1 shard has no owner" : `${counts.unowned} shards have no owner`, "bad");
  if (before.unowned > 0 && counts.unowned === 0) say("every shard has an owner", "good");
  const settled = (c: Counts) => c.plannedMoves + c.draining + c.blocked + c.unowned === 0 && c.load > 0;
  if (settled(counts) && !settled(before)) say(`settled: ${distribution(fleet)}`, "good");
  return log;
}
