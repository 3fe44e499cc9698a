/** What `decide` is asked about: the rows as last read, what was observed, and what this worker holds. */
import type { Facts } from "../core/decide.ts";
import { missingParents } from "../core/lineage.ts";
import { evidenceMillis } from "../core/trial.ts";
import type { Cap } from "./cap.ts";
import type { FleetMaintenance } from "./fleet-upkeep.ts";
import type { FleetWatch } from "./fleet-watch.ts";
import type { LoopWatch } from "./loop-watch.ts";
import type { Rescue } from "./rescue.ts";
import type { ShardTasks } from "./shard-tasks.ts";

/** A leaver's leases wait this long for the others to raise their caps before they are released to nobody. */
const RELEASE_GRACE_MILLIS = 1_500;
/** A joiner is active after a quarter of a second, 1.5 s at most; this much later it hangs. */
const STUCK_JOINER_MILLIS = 5_000;

const NONE: ReadonlySet<string> = new Set();

export interface FactSources {
  readonly watch: FleetWatch;
  readonly loop: LoopWatch;
  readonly tasks: ShardTasks;
  readonly rescue: Rescue;
  readonly cap: Cap;
  readonly maintenance: FleetMaintenance;
  readonly underfilled: () => ReadonlySet<string>;
  readonly failoverTimeMillis: number;
}

/** @param leavingSinceMillis monotonic; infinite while this worker stays */
export function gatherFacts(
  { watch, loop, tasks, rescue, cap, maintenance, underfilled, failoverTimeMillis }: FactSources,
  leavingSinceMillis: number,
  nowMillis: number,
): Facts {
  const { view, membership } = watch;
  const members = view.members();
  const { begun } = maintenance.duties;
  const { workerId } = membership.member;
  const staying = members.some(
    (m) => m.workerId !== workerId && (m.state === "active" || m.state === "joining"),
  );
  return {
    self: membership.member,
    members,
    expiredMembers: watch.expiredMembers(loop.leastJudgedMillis),
    table: view.table,
    unreadable: view.unreadable,
    // The view of a worker that follows has its own rows only.
    missing: begun === undefined || watch.role === "follows" ? NONE : missingParents(view.table, begun),
    expiredLeases: view.expiredLeases(failoverTimeMillis),
    observedLeases: view.observedLeases(failoverTimeMillis),
    held: tasks.facts(),
    leads: watch.leads,
    assigns: watch.role === "leads" || watch.role === "stands-in",
    underfilled: underfilled(),
    mayRelease: !staying || nowMillis - leavingSinceMillis > RELEASE_GRACE_MILLIS,
    // Who follows has not read the table of late: the leader has counted.
    computeCap: (fleet) => cap.of((watch.role === "follows" && view.size) || fleet),
    overdue: rescue.due,
    passedOver: rescue.passedOver(nowMillis),
    evidence: view.evidence(evidenceMillis(failoverTimeMillis), nowMillis),
    stuckJoiners: view.stuckJoiners(Math.max(STUCK_JOINER_MILLIS, failoverTimeMillis / 2), nowMillis),
  };
}
