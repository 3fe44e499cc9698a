/**
 * The leader is the active member with the smallest id on the first fleet row that has an active member.
 * There is no lock: the leader's work is idempotent, and two leaders for a moment do no harm. The second in
 * order is the deputy (`assignments.ts`).
 */
import type { FleetRow, Member } from "./member.ts";

const isActive = ({ state }: Member): boolean => state === "active";

/** Ids in the order of leadership: the active members, or the living ones if none is active. */
export function leadersAmong(members: readonly Member[]): readonly string[] {
  const living = members.filter(({ state }) => state !== "dead");
  const leaders = living.some(isActive) ? living.filter(isActive) : living;
  return leaders.map(({ workerId }) => workerId).toSorted();
}

/**
 * The first fleet row with an active member. A worker that has not read the lease table knows only some of
 * the rows. "unread" is the number of the row that it must read first.
 *
 * @param gone rows that were read and do not exist
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
