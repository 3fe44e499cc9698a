/** Gathers the input of `decide`: the rows as last read, what was observed, and what this worker holds. */
import type { Facts } from "../core/facts.ts";
import { missingParents } from "../core/lineage.ts";
import { evidenceMillis } from "../core/trial.ts";
import type { Cap } from "./cap.ts";
import type { FleetMaintenance } from "./fleet-maintenance.ts";
import type { FleetPoller } from "./fleet-poller.ts";
import type { LoopWatch } from "./loop-watch.ts";
import type { Rescue } from "./rescue.ts";
import type { ShardTasks } from "./shard-tasks.ts";

/**
 * How long a leaver keeps its leases, so that the other workers can raise their caps, before it releases them
 * without a next owner.
 */
const RELEASE_GRACE_MILLIS = 1_500;
/**
 * A joiner becomes active after a quarter of a second, or 1.5 s at most. One that is still joining after this
 * time hangs.
 */
const STUCK_JOINER_MILLIS = 5_000;

const NONE: ReadonlySet<string> = new Set();

export interface FactSources {
  readonly poller: FleetPoller;
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
  { poller, loop, tasks, rescue, cap, maintenance, underfilled, failoverTimeMillis }: FactSources,
  leavingSinceMillis: number,
  nowMillis: number,
): Facts {
  const { cache, membership } = poller;
  const members = cache.members();
  const { begun } = maintenance.duties;
  const { workerId } = membership.member;
  const staying = members.some(
    (m) => m.workerId !== workerId && (m.state === "active" || m.state === "joining"),
  );
  return {
    self: membership.member,
    members,
    expiredMembers: poller.expiredMembers(loop.leastJudgedMillis),
    table: cache.table,
    unreadable: cache.unreadable,
    // The fleet cache of a worker that follows has only its own rows.
    missing: begun === undefined || poller.role === "follows" ? NONE : missingParents(cache.table, begun),
    expiredLeases: cache.expiredLeases(failoverTimeMillis),
    observedLeases: cache.observedLeases(failoverTimeMillis),
    held: tasks.facts(),
    leads: poller.leads,
    assigns: poller.role === "leads" || poller.role === "stands-in",
    underfilled: underfilled(),
    mayRelease: !staying || nowMillis - leavingSinceMillis > RELEASE_GRACE_MILLIS,
    // A worker that follows has no recent scan; it uses the leader's count.
    computeCap: (fleet) => cap.of((poller.role === "follows" && cache.size) || fleet),
    overdue: rescue.due,
    passedOver: rescue.passedOver(nowMillis),
    evidence: cache.evidence(evidenceMillis(failoverTimeMillis), nowMillis),
    stuckJoiners: cache.stuckJoiners(Math.max(STUCK_JOINER_MILLIS, failoverTimeMillis / 2), nowMillis),
  };
}
