/**
 * Slow start after a crash: a version that dies seconds after joining must not take its whole share again and again.
 *
 * - A worker is *young* for two failover times after it has joined, and says so in its entry (`Member.earlyDeaths`).
 * - A young entry whose worker has died is *evidence*: a joiner of the same id finds it, and joiners of any id do while
 *   the leader keeps it in the fleet row.
 * - A joiner that finds evidence is *on trial* while it is young, and is planned with one lease. After more deaths in a
 *   row it is young for longer.
 *
 * The joiner decides once, and writes it down: every worker plans from the same rows.
 */
import type { Member } from "./member.ts";

/** In failover times: longer than it takes to start reading, and to fail at the first records. */
const YOUNG_FAILOVERS = 2;
/** The trial doubles with each death, up to this many times. */
const MAX_DOUBLINGS = 2;
/** In failover times, from when the leader first sees the entry dead: a minute by default, in which ECS starts a next task. */
const EVIDENCE_FAILOVERS = 6;

/** How long a worker is young after it has joined. */
export const youngMillis = (earlyDeaths: number, failoverTimeMillis: number): number =>
  YOUNG_FAILOVERS * failoverTimeMillis * 2 ** Math.min(MAX_DOUBLINGS, Math.max(0, earlyDeaths - 1));

export const LONGEST_TRIAL_FAILOVERS = YOUNG_FAILOVERS * 2 ** MAX_DOUBLINGS;

export const evidenceMillis = (failoverTimeMillis: number): number => EVIDENCE_FAILOVERS * failoverTimeMillis;

export const isOnTrial = ({ state, earlyDeaths = 0 }: Member): boolean => state !== "dead" && earlyDeaths > 0;

/** It has lived long enough to take over from one on trial. */
export const isProven = (member: Member): boolean => member.state === "active" && !isOnTrial(member);

/** @param gone entries whose workers are no more. @returns how many died young, in a row */
export const deathsAfter = (gone: readonly Member[]): number =>
  Math.max(0, ...gone.map(({ earlyDeaths }) => (earlyDeaths === undefined ? 0 : earlyDeaths + 1)));

/** The one dead entry that is worth keeping: that of the longest row of deaths. */
export function evidenceAmong(dead: readonly Member[]): Member | undefined {
  let kept: Member | undefined;
  for (const member of dead) {
    const { earlyDeaths } = member;
    if (earlyDeaths !== undefined && (kept === undefined || earlyDeaths > kept.earlyDeaths!)) kept = member;
  }
  return kept;
}
