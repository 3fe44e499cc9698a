/** What one worker of a fleet is given in place of what the fleet has: options of a deploy that is half done. */
import type { Decisions } from "../../../src/core/decide.ts";
import type { Facts } from "../../../src/core/facts.ts";
import type { Lease } from "../../../src/core/lease.ts";
import { untakenKey } from "../../../src/core/untaken.ts";
import type { Swarm } from "../swarm.ts";
import { Prng, textHash } from "../world/prng.ts";

export type Decide = (facts: Facts) => Decisions;

/** The swarm with this worker's own options. */
export function swarmOf(swarm: Swarm, workerId: string): Swarm {
  const { notStealing } = swarm.faults;
  const steals = swarm.steals && !(notStealing > 0 && drawFor(swarm, workerId, "steals").chance(notStealing));
  return { ...swarm, steals, failoverTimeMillis: failoverOf(swarm, workerId) };
}

export function failoverOf(swarm: Swarm, workerId: string): number {
  const own = swarm.faults.failoverTimesMillis;
  return own.length === 0 ? swarm.failoverTimeMillis : drawFor(swarm, workerId, "failover").pick(own);
}

export const longestFailover = ({ failoverTimeMillis, faults }: Swarm): number =>
  Math.max(failoverTimeMillis, ...faults.failoverTimesMillis);

export const shortestFailover = ({ failoverTimeMillis, faults }: Swarm): number =>
  Math.min(failoverTimeMillis, ...faults.failoverTimesMillis);

export function plansOtherwise(swarm: Swarm, workerId: string): boolean {
  const { otherPlanner } = swarm.faults;
  return otherPlanner > 0 && drawFor(swarm, workerId, "planner").chance(otherPlanner);
}

/** By id, so that a worker that restarts under its id keeps its options. */
const drawFor = ({ seed }: Swarm, workerId: string, what: string): Prng =>
  new Prng(textHash(workerId, seed)).fork(what);

/**
 * Another version of the planner, equally valid: it assigns the leases in the reverse order of the workers'
 * ids. What is no assignment (which worker leads, what is cleaned up) is as in the first version.
 */
export function otherPlanner(decide: Decide): Decide {
  return (facts) => {
    const first = decide(facts);
    const aliases = reversedAliases(facts);
    const back = new Map([...aliases].map(([id, alias]) => [alias, id]));
    const { leads, remove } = first;
    const renamed = rename({ ...facts, computeCap: undefined }, aliases) as unknown as Facts;
    // The keys of `overdue` are texts that contain a worker's name.
    const late = [...facts.table.values()].filter((lease) => facts.overdue.has(untakenKey(lease)));
    const overdue = new Set(late.map((lease) => untakenKey(rename(lease, aliases) as Lease)));
    const second = decide({ ...renamed, overdue, computeCap: () => first.cap });
    return { ...(rename(second, back) as Decisions), leads, remove };
  };
}

function reversedAliases({ members, table }: Facts): Map<string, string> {
  const ids = new Set(members.map(({ workerId }) => workerId));
  for (const { owner, checkpointOwner } of table.values())
    for (const id of [owner, checkpointOwner]) if (id !== undefined) ids.add(id);
  const sorted = [...ids].toSorted();
  return new Map(sorted.map((id, index) => [id, `alias${String(sorted.length - index).padStart(6, "0")}`]));
}

/** A copy in which every string that is one of `names` is replaced, wherever it occurs. */
function rename(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (typeof value === "string") return names.get(value) ?? value;
  if (Array.isArray(value)) return value.map((item) => rename(item, names));
  if (value instanceof Set) return new Set([...value].map((item) => rename(item, names)));
  if (value instanceof Map) {
    return new Map([...value].map(([key, item]) => [rename(key, names), rename(item, names)]));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rename(item, names)]));
}
