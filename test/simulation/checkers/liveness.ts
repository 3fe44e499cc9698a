/**
 * L5: after healing, every runnable lease is owned, evenly, and everything is handled, within a bounded time; and no
 * shard is ever halted but by the user's choice.
 * L6: then nobody writes ownership, and the calls stay within what was promised.
 * L7: stop() comes back when everything is handed over or released, and nothing is done after it.
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
  /** Removing rows that have done their duty is work for a quiet hour: one bump tells the others. */
  const cleaned = new Set<string>();
  const caps = new Map<string, number | undefined>();
  /** Workers that have published another cap. */
  const recapped = new Set<string>();
  const halted = new Set<string>();
  /** Their entries stay as evidence for six failover times, and are then removed, which changes nothing for the others. */
  const dead = new Set<string>();
  /** By who removed one: it tells the others, twice if its next look is too old to show that. */
  const bumpsDue = new Map<string, number>();
  const tampered = new Tampered(events);
  /** Lease rows that were deleted by hand: who has nothing to write finds that late. */
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
    // Tried again once a minute: when it works, the shard and its children go on.
    if (event.type === "handled" && halted.has(event.shardId)) return VALID;
    if (event.type === "member" && event.operation === "sendHeartbeat") workers.add(event.worker);
    // Who was passed over for a while counts again, and caps follow from that.
    if (event.type === "member" && event.operation === "bump" && recapped.delete(event.worker)) continue;
    // Where some do not steal, or plan otherwise, only the planner knows what is even: who was passed over for a while gets
    // its share later.
    const isMove = event.type === "write" && (event.operation === "handOver" || event.operation === "claim");
    if (isMove && (swarm.faults.notStealing > 0 || swarm.faults.otherPlanner > 0)) {
      hasMoved = true;
      continue;
    }
    // A row edited by hand that nobody has written since is found by whoever reads the table next.
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
  // Two heartbeats may be late and one early; looks are 800 ms apart, give or take a tenth.
  const shortestFailoverMillis = Math.min(...[...workers].map((worker) => failoverOf(swarm, worker))) / 3;
  const budget = {
    // Of a row that was deleted, one tells that it is made again, and one that it has an owner.
    sendHeartbeat: workers.size * (quietMillis / shortestFailoverMillis + 2) * 1.1 + 2 * deleted.size,
    // The last change (a clean-up of ended leases, say) may be a moment old: everybody looks often for three seconds
    // after one. A worker that always looks that often makes seven times as many.
    // Where the leader assigns, a look reads two fleet rows: the worker's own, and row 0; the leader goes round all.
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
  /** Leases that somebody who had not heard yet gave to a worker on its way out: no stop can wait for the last of these. */
  const givenLate = new Set<string>();
  for (const event of events) {
    if (event.type === "write") {
      const to = event.after?.owner;
      owner.set(event.leaseKey, to);
      const late =
        event.operation === "handOver" &&
        to !== undefined &&
        // Where the leader assigns, a worker does not read the table before it leaves: the leader finds what it was given last.
        (stopping.has(to) || stopped.has(to) || mayAssign(swarm));
      const keepsOwner = event.operation === "checkpoint" || event.operation === "renew";
      if (late) givenLate.add(event.leaseKey);
      else if (!keepsOwner) givenLate.delete(event.leaseKey);
    }
    if (event.type === "tampered" && event.leaseKey !== undefined) {
      // Nobody can release what nobody can read.
      if (event.what === "deleted" || event.what === "garbled") owner.delete(event.leaseKey);
      // It may name a worker that has left meanwhile, where the caps leave no room for it.
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
  // What is in the name of a worker that crashed stays so where the caps left no room for it.
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
