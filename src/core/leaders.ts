/**
 * Who leads: the active member with the smallest id on the first fleet row that has one. Nothing is locked: what a leader
 * does is idempotent, and two for a moment do no harm. The second in line is the deputy (`assignments.ts`).
 */
import type { FleetRow, Member } from "./member.ts";

const isActive = ({ state }: Member): boolean => state === "active";

/** Ids in the order in which they lead: the active members, or the living ones where none is active. */
export function leadersAmong(members: readonly Member[]): readonly string[] {
  const living = members.filter(({ state }) => state !== "dead");
  const leaders = living.some(isActive) ? living.filter(isActive) : living;
  return leaders.map(({ workerId }) => workerId).toSorted();
}

/**
 * The first fleet row with an active member. A worker that has not read the table knows only some of the rows:
 * "unread" names the one that it must read first.
 *
 * @param gone rows that were read and are not there
 */
export function leadingRow(
  fleetRows: ReadonlyMap<number, FleetRow>,
  gone: ReadonlySet<number>,
  ownRow: number,
): FleetRow | { readonly unread: number } | undefined {
  for (let fleetRow = 0; fleetRow <= ownRow; fleetRow++) {
    const known = fleetRows.get(fleetRow);
    if (known?.members.some(isActive)) return known;
    if (known === undefined && fleetRow < ownRow && !gone.has(fleetRow)) return { unread: fleetRow };
  }
  const inOrder = [...fleetRows.values()].toSorted((a, b) => a.number - b.number);
  return inOrder.find(({ members }) => members.some(isActive)) ?? fleetRows.get(ownRow);
}
