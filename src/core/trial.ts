/**
 * Slow start after a crash: a version that dies seconds after joining must not take its whole share again and
 * again.
 *
 * - A worker is *young* for two failover times after it has joined. Its entry has `Member.earlyDeaths` for
 *   that time.
 * - The young entry of a worker that has died is *evidence*. A joiner with the same id finds it, and so do
 *   joiners with any id while the leader keeps it in the fleet row.
 * - A joiner that finds evidence is *on trial* while it is young: the plan gives it one lease. After more
 *   deaths in a row it is young for longer.
 *
 * The joiner decides once and writes the result into its entry, because every worker plans from the same
 * rows.
 */
import type { Member } from "./member.ts";

/** In failover times: longer than it takes to start reading, and to fail at the first records. */
const YOUNG_FAILOVERS = 2;
/** The trial doubles with each further death, up to this many times. */
const MAX_DOUBLINGS = 2;
/**
 * In failover times, counted from when the leader first reads the entry as dead. By default a minute, in
 * which ECS starts the next task.
 */
const EVIDENCE_FAILOVERS = 6;

/** How long a worker is young after it has joined. */
export const youngMillis = (earlyDeaths: number, failoverTimeMillis: number): number =>
  YOUNG_FAILOVERS * failoverTimeMillis * 2 ** Math.min(MAX_DOUBLINGS, Math.max(0, earlyDeaths - 1));

export const LONGEST_TRIAL_FAILOVERS = YOUNG_FAILOVERS * 2 ** MAX_DOUBLINGS;

export const evidenceMillis = (failoverTimeMillis: number): number => EVIDENCE_FAILOVERS * failoverTimeMillis;

export const isOnTrial = ({ state, earlyDeaths = 0 }: Member): boolean => state !== "dead" && earlyDeaths > 0;

/** The worker has lived long enough to take over from one on trial. */
export const isProven = (member: Member): boolean => member.state === "active" && !isOnTrial(member);

/**
 * @param gone entries of workers that are gone
 * @returns how many workers died young, in a row
 */
export const deathsAfter = (gone: readonly Member[]): number =>
  Math.max(0, ...gone.map(({ earlyDeaths }) => (earlyDeaths === undefined ? 0 : earlyDeaths + 1)));

/** The one dead entry that is worth keeping: the one with the most early deaths in a row. */
export function evidenceAmong(dead: readonly Member[]): Member | undefined {
  let kept: Member | undefined;
  for (const member of dead) {
    const { earlyDeaths } = member;
    if (earlyDeaths !== undefined && (kept === undefined || earlyDeaths > kept.earlyDeaths!)) kept = member;
  }
  return kept;
}
