/**
 * One seed: build the world, let the schedule happen (safety phase), heal (liveness phase), watch a while in which
 * nothing should move (quiet phase), stop everybody, and have the checkers judge the history.
 */
import { SHARD_END } from "../../services/consumer/core/lease.ts";
import { judge, type Report } from "./checkers/judge.ts";
import { Cluster, capOf, type StartEngine } from "./cluster.ts";
import { unbalance } from "./fleet-view.ts";
import type { Mutation } from "./mutation.ts";
import { drawSwarm, type Swarm } from "./swarm.ts";

export interface RunOptions {
  readonly startEngine: StartEngine;
  readonly mutation?: Mutation | undefined;
  /** Every event, as it happens. */
  readonly verbose?: ((line: string) => void) | undefined;
}

export interface RunResult extends Report {
  readonly seed: number;
  readonly swarm: Swarm;
  readonly traceHash: string;
  readonly steps: number;
  readonly virtualMillis: number;
  /** From healing to convergence; undefined: it did not converge. */
  readonly convergedAfterMillis: number | undefined;
}

const PUT_INTERVAL_MILLIS = 250;
const LOOK_INTERVAL_MILLIS = 250;
/** Puts go on this long after healing, so that convergence is seen under load. */
const TAIL_MILLIS = 3_000;

/** Generous: expiry twice in a row (a lease claimed by somebody who had just died), a shard sync, and the backlog. */
export const livenessBound = (swarm: Swarm): number =>
  6 * swarm.failoverTimeMillis + 2 * swarm.shardSyncIntervalMillis + 60_000 + 20 * swarm.handlerMillis.high;

export const quietMillis = (swarm: Swarm): number => 2 * swarm.failoverTimeMillis + 5_000;

export async function runSeed(seed: number, options: RunOptions): Promise<RunResult> {
  const swarm = drawSwarm(seed);
  const cluster = new Cluster(swarm, options.startEngine, options.mutation);
  const { scheduler, history } = cluster;
  if (options.verbose) {
    cluster.log = (line) => options.verbose!(`${scheduler.now.toFixed(1).padStart(9)}  ${line}`);
    history.listen((line) => cluster.log(line));
  }

  history.add({ type: "phase", name: "safety" });
  for (let index = 0; index < swarm.workers; index++) {
    scheduler.at(
      (index * swarm.startSpreadMillis) / swarm.workers,
      "start",
      () => void cluster.startWorker(),
    );
  }
  for (const { at, who, action } of swarm.schedule)
    scheduler.at(at, action.kind, () => cluster.perform(action, who));
  let due = 0;
  const putEvery = () => {
    due += (swarm.putsPerSecond * PUT_INTERVAL_MILLIS) / 1_000;
    cluster.putSome(Math.floor(due));
    due -= Math.floor(due);
    if (scheduler.now < swarm.safetyMillis + TAIL_MILLIS)
      scheduler.after(PUT_INTERVAL_MILLIS, "put", putEvery);
  };
  scheduler.at(0, "put", putEvery);
  await scheduler.run(swarm.safetyMillis);

  cluster.heal();
  if (cluster.up().length === 0) cluster.startWorker();
  history.add({ type: "phase", name: "liveness" });
  const healedAt = scheduler.now;
  const limit = healedAt + livenessBound(swarm);
  let problem: string | undefined = "not looked at yet";
  while (problem !== undefined && scheduler.now < limit) {
    await scheduler.run(scheduler.now + LOOK_INTERVAL_MILLIS);
    problem = unsettled(cluster, healedAt + TAIL_MILLIS + PUT_INTERVAL_MILLIS);
  }
  const convergedAfterMillis = problem === undefined ? scheduler.now - healedAt : undefined;

  let spentCalls: Record<string, number> = {};
  if (problem === undefined) {
    history.add({ type: "phase", name: "settled" });
    // What convergence left to do (the last checkpoints, parents to clean up) may still be done.
    await scheduler.run(scheduler.now + settleMillis(swarm));
    const before = callsOf(cluster);
    history.add({ type: "phase", name: "quiet" });
    await scheduler.run(scheduler.now + quietMillis(swarm));
    spentCalls = difference(callsOf(cluster), before);
  }
  history.add({ type: "phase", name: "end" });
  for (const worker of cluster.up()) cluster.stopWorker(worker);
  const running = () => cluster.workers.some((worker) => worker.state === "stopping");
  await scheduler.run(scheduler.now + swarm.stopBudgetMillis + 10_000, () => !running());
  // Whatever a stopped worker should not do any more, it would do now.
  await scheduler.run(scheduler.now + 2 * swarm.failoverTimeMillis);

  return {
    seed,
    swarm,
    traceHash: scheduler.traceHash,
    steps: scheduler.steps,
    virtualMillis: scheduler.now,
    convergedAfterMillis,
    ...judge({
      swarm,
      events: history.events,
      unsettled: problem,
      quietMillis: quietMillis(swarm),
      quietCalls: spentCalls,
      escaped: cluster.escaped,
      finalLeases: cluster.table.leases(),
      finalPages: cluster.table.pages(),
    }),
  };
}

export const settleMillis = (swarm: Swarm): number =>
  swarm.checkpointIntervalMillis + 2 * swarm.shardSyncIntervalMillis + 2_000;

/** Why the fleet is not yet as it must be for good; undefined: it is. */
function unsettled(cluster: Cluster, earliest: number): string | undefined {
  const { swarm, table, stream, scheduler } = cluster;
  if (scheduler.now < earliest) return "puts are still going on";
  if (cluster.restartsDue > 0) return "a crashed worker is still to be restarted";
  const waiting = cluster.workers.find(
    (worker) => worker.state === "starting" || worker.state === "stopping",
  );
  if (waiting !== undefined) return `${waiting.id} is still ${waiting.state}`;
  const leases = table.leases();
  const rows = new Set(leases.map((lease) => lease.leaseKey));
  const missing = stream.openShards().find(({ shard }) => !rows.has(shard.shardId));
  if (missing !== undefined) return `${missing.shard.shardId} is open and has no lease row`;
  const up = cluster.up();
  const owners = new Set(leases.map((lease) => lease.owner));
  for (const { workerId, state } of table.pages().flatMap((page) => page.members)) {
    const isUp = up.some((worker) => worker.id === workerId);
    // Where the caps leave no room, leases stay in a dead member's name, and its entry with them.
    if (!isUp && !(state === "dead" && owners.has(workerId)))
      return `${workerId} is gone and still a member (${state})`;
  }
  const open = stream.openShards().length;
  const cap = capOf(swarm.cap, open, up.length);
  const problem = unbalance(leases, {
    caps: new Map(up.map((worker) => [worker.id, cap])),
    steals: swarm.steals,
  });
  if (problem !== undefined) return problem;
  const ending = leases.find(
    ({ leaseKey, owner, checkpoint }) =>
      stream.shard(leaseKey)?.closedAt !== undefined &&
      checkpoint.sequenceNumber !== SHARD_END &&
      up.some((worker) => worker.id === owner),
  );
  if (ending !== undefined) return `${ending.leaseKey} is closed and not yet at SHARD_END`;
  const handled = cluster.history.handled;
  for (const data of stream.shards()) {
    const lost = data.records.find((record) => !handled.has(record.sequenceNumber));
    if (lost === undefined) continue;
    const lease = table.lease(data.shard.shardId);
    // What nobody may own because of the caps, and what came before LATEST, is not to be handled.
    const owned = up.some((worker) => worker.id === lease?.owner);
    if (lease !== undefined && !owned && cap !== undefined) continue;
    if (cluster.history.fromLatest(data.shard.shardId, swarm.initialPosition)) continue;
    return `${lost.key}#${lost.n} (${data.shard.shardId} ${lost.sequenceNumber}) has not been handled`;
  }
  return undefined;
}

function callsOf(cluster: Cluster): Record<string, number> {
  const calls: Record<string, number> = {};
  for (const worker of cluster.workers) {
    for (const [name, count] of [...worker.cost.calls, ...worker.streamCalls])
      calls[name] = (calls[name] ?? 0) + count;
  }
  return calls;
}

const difference = (after: Record<string, number>, before: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]));
