/** Checks all invariants over one history. */
import { checkCheckpoints } from "./checkpoints.ts";
import { checkCommonMode } from "./common-mode.ts";
import { checkDuplicates } from "./duplicates.ts";
import { checkFence } from "./fence.ts";
import { checkFitted } from "./fitted.ts";
import { checkGaps } from "./gaps.ts";
import { checkLiveness, checkQuiet, checkStop } from "./liveness.ts";
import { checkParents } from "./parents.ts";
import { checkRecords } from "./records.ts";
import { checkReports } from "./reports.ts";
import { checkUnread } from "./unread.ts";
import type { Evidence, Verdict } from "./verdict.ts";
import { checkWrittenDown } from "./written-down.ts";

export const LAWS = {
  "L1 one holder a fence": checkFence,
  "L2 checkpoints only forward": checkCheckpoints,
  "L2 checkpoints written": checkWrittenDown,
  "L3 parents before children": checkParents,
  "L4 every record, in order": checkRecords,
  "L5 converges": checkLiveness,
  "L5 no gap in planned moves": checkGaps,
  "L6 quiet": checkQuiet,
  "L7 stops cleanly": checkStop,
  "L8 nothing unread": checkUnread,
  "L9 who is well stays": checkCommonMode,
  "L10 troubles are reported": checkReports,
  "L11 an id is one worker's": checkDuplicates,
  "L12 batches are fitted": checkFitted,
} as const satisfies Record<string, (evidence: Evidence) => Verdict>;

export interface Report {
  readonly ok: boolean;
  readonly verdicts: Readonly<Record<string, Verdict>>;
}

export function judge(evidence: Evidence): Report {
  const verdicts = Object.fromEntries(Object.entries(LAWS).map(([law, check]) => [law, check(evidence)]));
  return { ok: Object.values(verdicts).every((verdict) => verdict.kind === "valid"), verdicts };
}

/** The first invariant that did not hold, as text. */
export function complaint({ verdicts }: Report): string | undefined {
  for (const [law, verdict] of Object.entries(verdicts)) {
    if (verdict.kind === "invalid") return `${law}: ${verdict.witness}`;
  }
  for (const [law, verdict] of Object.entries(verdicts)) {
    if (verdict.kind === "unknown") return `${law}: unknown, ${verdict.reason}`;
  }
  return undefined;
}
