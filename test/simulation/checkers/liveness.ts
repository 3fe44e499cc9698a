/**
 * L5: within a limited time after healing, every runnable lease is owned, the leases are even, and all
 * records are handled. No shard is ever halted except by the user's choice.
 * L6: after that no worker writes ownership, and the calls stay within the promised number.
 * L7: stop() returns when all leases are handed over or released, and nothing is done after it.
 */

import { failoverOf, longestFailover } from "../faults/unequal.ts";
import { mayAssign } from "../swarm.ts";
import type { SimEvent } from "../world/history.ts";
import { Allowances } from "./allowances.ts";
import { Outages, Tampered } from "./disturbances.ts";
import { type Evidence, invalid, VALID, type Verdict } from "./verdict.ts";
import { WorkerFaults } from "./worker-faults.ts";

export function checkLiveness({ swarm, events, unsettled, escaped }: Evidence): Verdict {
  if (escaped.length > 0) return invalid(`L5: an error escaped: ${escaped[0]}`);
  const allowances = new Allowances(swarm);
  for (const event of events) {
    allowances.add(event);
    if (event.type === "halted" && !allowances.mayHalt(event.shardId, event.worker))
      return invalid("L5: a shard was halted although its handler had not failed for every try", event);
  }
  return unsettled === undefined
    ? VALID
    : invalid(`L5: not as it must be when the time was up: ${unsettled}`);
}

const OWNERSHIP: ReadonlySet<string> = new Set(["create", "claim", "handOver", "release", "complete"]);
const MEMBERSHIP: ReadonlySet<string> = new Set(["join", "markDead", "leave", "bump"]);

export function checkQuiet({ swarm, events, unsettled, quietMillis, quietCalls }: Evidence): Verdict {
  if (unsettled !== undefined) return { kind: "unknown", reason: "there was no quiet phase" };
  let quiet = false;
  let hasMoved = false;
  const workers = new Set<string>();
  /**
   * Workers that removed finished rows. That is work for a quiet time: one bump of the fleet version notifies
   * the others.
   */
  const cleaned = new Set<string>();
  const caps = new Map<string, number | undefined>();
  /** Workers that have published another cap. */
  const recapped = new Set<string>();
  const halted = new Set<string>();
  /**
   * Dead members. Their entries stay as evidence for six failover times and are then removed, which changes
   * nothing for the others.
   */
  const dead = new Set<string>();
  /**
   * By worker that removed such an entry: it bumps the fleet version, twice if its next poll is too old to
   * show the first.
   */
  const bumpsDue = new Map<string, number>();
  const tampered = new Tampered(events);
  /** Lease rows that were deleted by hand: an owner with nothing to write notices that late. */
  const deleted = new Set<string>();
  for (const event of events) {
    if (event.type === "tampered" && event.what === "deleted" && event.leaseKey !== undefined)
      deleted.add(event.leaseKey);
    if (event.type === "member" && event.operation === "markDead") dead.add(event.about);
    if (event.type === "member" && event.operation === "join") dead.delete(event.about);
    if (event.type === "phase") quiet = event.name === "quiet";
    if (event.type === "halted") halted.add(event.shardId);
    // A handler that blocks for longer than the quiet phase lasts: its worker is dead for the others.
    if (quiet && event.type === "trouble" && event.kind === "blocked-loop") return VALID;
    if (event.type === "member" && event.member !== undefined) {
      const { workerId, maxLeases } = event.member;
      if (caps.has(workerId) && caps.get(workerId) !== maxLeases) recapped.add(workerId);
      caps.set(workerId, maxLeases);
    }
    if (!quiet) continue;
    // The halting record is tried again once a minute. When it succeeds, the shard and its children continue.
    if (event.type === "handled" && halted.has(event.shardId)) return VALID;
    if (event.type === "member" && event.operation === "sendHeartbeat") workers.add(event.worker);
    // A worker that was passed over counts again after a while, and caps follow from that.
    if (event.type === "member" && event.operation === "bump" && recapped.delete(event.worker)) continue;
    // Where some workers do not steal, or plan with another version, only the planner knows what is even: a
    // worker that was passed over gets its share later.
    const isMove = event.type === "write" && (event.operation === "handOver" || event.operation === "claim");
    if (isMove && (swarm.faults.notStealing > 0 || swarm.faults.otherPlanner > 0)) {
      hasMoved = true;
      continue;
    }
    // A row that was edited by hand and not written since is noticed by the next worker that scans the table.
    if (isMove && tampered.between(event.leaseKey, 0, event.t)) continue;
    if (event.type === "write" && deleted.has(event.leaseKey)) continue;
    if (event.type === "write" && OWNERSHIP.has(event.operation))
      return invalid("L6: ownership was written in a quiet fleet", event);
    if (event.type === "write" && event.operation === "remove") cleaned.add(event.worker);
    if (event.type === "member" && event.operation === "bump" && cleaned.delete(event.worker)) continue;
    if (event.type === "member" && event.operation === "leave" && dead.delete(event.about)) {
      bumpsDue.set(event.worker, 2);
      continue;
    }
    if (event.type === "member" && event.operation === "bump") {
      const due = bumpsDue.get(event.worker) ?? 0;
      if (due > 0) {
        bumpsDue.set(event.worker, due - 1);
        continue;
      }
    }
    if (event.type === "member" && MEMBERSHIP.has(event.operation))
      return invalid("L6: membership was written in a quiet fleet", event);
  }
  const spentOn = (name: string) => quietCalls[name] ?? 0;
  // Two heartbeats may be late and one early. Polls are 800 ms apart, plus or minus a tenth.
  const shortestFailoverMillis = Math.min(...[...workers].map((worker) => failoverOf(swarm, worker))) / 3;
  const budget = {
    // After a row was deleted: one heartbeat announces that the row is created again, one that it has an
    // owner.
    sendHeartbeat: workers.size * (quietMillis / shortestFailoverMillis + 2) * 1.1 + 2 * deleted.size,
    // The last change (a clean-up of ended leases, for example) may be recent: all workers poll often for
    // three seconds after one. A worker that always polls that often makes seven times as many calls. Where
    // the leader assigns, a poll reads two fleet rows: the worker's own, and row 0. The leader reads all of
    // them in turn.
    readFleet:
      workers.size * (((mayAssign(swarm) ? 2.2 : 1) * quietMillis) / 700 + 3 + (hasMoved ? 2 : 1) * 35),
    listShards: (quietMillis / swarm.shardSyncIntervalMillis + 3) * 1.1,
  };
  for (const [name, most] of Object.entries(budget)) {
    const spent = spentOn(name);
    if (spent > most)
      return invalid(
        `L6: ${spent} calls of ${name} in ${quietMillis} ms of quiet, at most ${most.toFixed(0)} were due`,
      );
  }
  return VALID;
}

export function checkStop({ swarm, events, finalLeases, finalFleetRows, unsettled }: Evidence): Verdict {
  const workerFaults = new WorkerFaults(events);
  const outages = new Outages(events);
  const stopping = new Map<string, SimEvent>();
  const stopped = new Map<string, Extract<SimEvent, { type: "worker" }>>();
  const owner = new Map<string, string | undefined>();
  const stoppedWhileFailing = new Set<string>();
  /**
   * Leases that a donor handed to a leaving worker before it noticed the leaving: no stop can wait for the
   * last of these.
   */
  const givenLate = new Set<string>();
  for (const event of events) {
    if (event.type === "write") {
      const to = event.after?.owner;
      owner.set(event.leaseKey, to);
      const late =
        event.operation === "handOver" &&
        to !== undefined &&
        // Where the leader assigns, a worker does not scan the table before it leaves: the leader finds what
        // it was handed last.
        (stopping.has(to) || stopped.has(to) || mayAssign(swarm));
      const keepsOwner = event.operation === "checkpoint" || event.operation === "renew";
      if (late) givenLate.add(event.leaseKey);
      else if (!keepsOwner) givenLate.delete(event.leaseKey);
    }
    if (event.type === "tampered" && event.leaseKey !== undefined) {
      // No worker can release a row that it cannot read.
      if (event.what === "deleted" || event.what === "garbled") owner.delete(event.leaseKey);
      // It may name a worker that has left meanwhile, where the caps leave no room for the lease.
      else if (event.what === "repaired") givenLate.add(event.leaseKey);
      else if (event.what.startsWith("owner")) {
        owner.set(event.leaseKey, event.about);
        givenLate.add(event.leaseKey);
      }
    }
    // It drops what it has; whether it was marked dead for a reason is L9's to judge.
    if (event.type === "member" && event.operation === "markDead")
      for (const [leaseKey, id] of owner) if (id === event.about) givenLate.add(leaseKey);
    if (event.type === "worker" && event.action === "started") stopped.delete(event.worker);
    if (event.type === "worker" && event.action === "stopping") stopping.set(event.worker, event);
    if (event.type === "worker" && event.action === "stopped") {
      stopped.set(event.worker, event);
      const asked = stopping.get(event.worker);
      const kept = [...owner].find(([key, id]) => id === event.worker && !givenLate.has(key));
      const from = (asked?.t ?? 0) - longestFailover(swarm);
      const excused = outages.between(from, event.t) || workerFaults.between(event.worker, from, event.t);
      if (excused) stoppedWhileFailing.add(event.worker);
      else stoppedWhileFailing.delete(event.worker);
      if (kept && event.detail === "" && !excused)
        return invalid(`L7: stop() came back while ${kept[0]} was still owned`, asked, event);
      stopping.delete(event.worker);
      continue;
    }
    const end = "worker" in event && event.type !== "worker" ? stopped.get(event.worker) : undefined;
    // A handler that ignores its signal cannot be stopped.
    const isWork =
      event.type !== "trouble" &&
      event.type !== "log" &&
      event.type !== "too-late" &&
      !(event.type === "read" && event.sentAt <= (end?.t ?? 0));
    const inOutage = end !== undefined && outages.between(end.t - 10_000, end.t);
    if (end && isWork && !inOutage && !workerFaults.between(end.worker, end.t - 10_000, event.t))
      return invalid("L7: still at work after stop() had come back", end, event);
  }
  for (const [worker, asked] of stopping) {
    const crashed = workerFaults.between(worker, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    // Or its event loop is blocked beyond the end of the run.
    const endedMillis = events.at(-1)!.t;
    const isBlocked = workerFaults.between(worker, endedMillis, endedMillis)?.kind === "blocked-loop";
    if (!crashed && !isBlocked) return invalid("L7: stop() never came back", asked);
  }
  if (unsettled !== undefined) return VALID;
  // A lease in the name of a worker that crashed stays so where the caps left no room for it.
  const left = finalLeases.find(
    ({ owner: id, leaseKey }) =>
      id !== undefined && stopped.has(id) && !stoppedWhileFailing.has(id) && !givenLate.has(leaseKey),
  );
  if (left) return invalid(`L7: everybody stopped, and ${left.leaseKey} is still owned by ${left.owner}`);
  const member = finalFleetRows
    .flatMap((fleetRow) => fleetRow.members)
    .find((entry) => entry.state !== "dead");
  return member
    ? invalid(`L7: everybody stopped, and ${member.workerId} is still a member (${member.state})`)
    : VALID;
}
