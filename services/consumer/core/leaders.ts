/**
 * Who leads: the active member with the smallest id on the first fleet row that has one. Nothing is locked: what a leader
 * does is idempotent, and two for a moment do no harm. The second in line is the deputy (`assignments.ts`).
 */
import type { FleetPage, Member } from "./member.ts";

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
export function leadingPage(
  pages: ReadonlyMap<number, FleetPage>,
  gone: ReadonlySet<number>,
  ownPage: number,
): FleetPage | { readonly unread: number } | undefined {
  for (let page = 0; page <= ownPage; page++) {
    const known = pages.get(page);
    if (known?.members.some(isActive)) return known;
    if (known === undefined && page < ownPage && !gone.has(page)) return { unread: page };
  }
  const inOrder = [...pages.values()].toSorted((a, b) => a.page - b.page);
  return inOrder.find(({ members }) => members.some(isActive)) ?? pages.get(ownPage);
}
