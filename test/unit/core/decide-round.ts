import { decide } from "../../../src/core/decide.ts";
import type { Facts } from "../../../src/core/facts.ts";
import { actualOwner, type Lease } from "../../../src/core/lease.ts";
import { lineage, tableOf } from "../../../src/core/lineage.ts";
import type { Member } from "../../../src/core/member.ts";
import { factsOf, type Scene } from "./rows.ts";

export const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(2, "0")}`);

/** Performs once what every living member decides, as the engine would. */
export function round(
  rows: readonly Lease[],
  members: readonly Member[],
  more: Partial<Facts> = {},
): Lease[] {
  const table = new Map(rows.map((lease) => [lease.leaseKey, lease]));
  const write = (leaseKey: string, owner: string | undefined) => {
    const before = table.get(leaseKey)!;
    table.set(leaseKey, { ...before, owner, counter: before.counter + 1 });
  };
  for (const { workerId, state } of members) {
    if (state === "dead") continue;
    const decisions = decide({ ...factsOf(workerId, { rows, members }), ...more });
    for (const { lease } of decisions.claim) write(lease.leaseKey, workerId);
    for (const { leaseKey, to } of decisions.handOver) write(leaseKey, to);
    for (const { leaseKey } of decisions.release) write(leaseKey, undefined);
  }
  return [...table.values()];
}

export function ownedBy(rows: readonly Lease[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const lease of lineage(tableOf(rows)).runnable) {
    const owner = actualOwner(lease) ?? "nobody";
    counts[owner] = (counts[owner] ?? 0) + 1;
  }
  return counts;
}

export const decideFor = (workerId: string, scene: Scene) => decide(factsOf(workerId, scene));
