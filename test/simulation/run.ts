/**
 * Runs one seed: builds the test environment, performs the schedule (safety phase), heals (liveness phase),
 * waits while nothing may move (quiet phase), stops all workers, and has the checkers judge the history.
 */
import { LONGEST_TRIAL_FAILOVERS } from "../../src/core/trial.ts";
import { judge, type Report } from "./checkers/judge.ts";
import { Cluster, type StartEngine } from "./cluster.ts";
import { longestPublished } from "./faults/blocked.ts";
import { FaultInjector } from "./faults/injector.ts";
import type { FaultKind } from "./faults/plan.ts";
import { longestFailover } from "./faults/unequal.ts";
import { type Fingerprint, fingerprintOf } from "./fingerprint.ts";
import type { Mutation } from "./mutation.ts";
import { Oracle } from "./oracle.ts";
import { type Draws, drawSwarm, type Swarm } from "./swarm.ts";

export interface RunOptions {
  readonly startEngine: StartEngine;
  readonly mutation?: Mutation | undefined;
  readonly draws?: Draws | undefined;
  /** Of the third generation of draws, only this kind of fault. */
  readonly only?: FaultKind | undefined;
  /** Receives every event as it happens. */
  readonly verbose?: ((line: string) => void) | undefined;
  readonly fingerprints?: boolean | undefined;
}

export interface RunResult extends Report {
  readonly seed: number;
  readonly swarm: Swarm;
  readonly traceHash: string;
  readonly steps: number;
  readonly virtualMillis: number;
  /** From healing to convergence; undefined: the fleet did not converge. */
  readonly convergedAfterMillis: number | undefined;
  /** With the option `fingerprints`. */
  readonly fingerprint?: Fingerprint;
}

const PUT_INTERVAL_MILLIS = 250;
const POLL_INTERVAL_MILLIS = 250;
/** Puts continue for this long after healing, so that the fleet converges under load. */
const TAIL_MILLIS = 3_000;
/**
 * The longest pause between two tries of a handler. Shorter than the default, so that a run does not spend
 * its time on pauses.
 */
export const MAX_RETRY_DELAY_MILLIS = 1_000;

/**
 * Generous: two expiries in a row (a lease was claimed by a worker that had just died), a shard sync, and the
 * backlog.
 */
export const livenessBound = (swarm: Swarm): number =>
  4 * longestFailover(swarm) +
  2 * longestPublished(swarm) +
  2 * swarm.shardSyncIntervalMillis +
  60_000 +
  20 * swarm.handlerMillis.high +
  backlogBound(swarm) +
  poisonBound(swarm) +
  blockedBound(swarm) +
  trialBound(swarm);

/** A worker that starts when the faults stop follows those that died before. */
function trialBound(swarm: Swarm): number {
  const mayDie = swarm.profile !== "planned" || swarm.faults.kinds.length > 0;
  return mayDie ? LONGEST_TRIAL_FAILOVERS * longestFailover(swarm) : 0;
}

/** As if all records were in one shard. */
function backlogBound({ putsPerSecond, safetyMillis, maxRecords, handlerMillis }: Swarm): number {
  const records = (putsPerSecond * (safetyMillis + TAIL_MILLIS)) / 1_000;
  return Math.ceil(records / maxRecords) * handlerMillis.high;
}

/** As if one worker did all the work, twice. */
function blockedBound({ faults, putsPerSecond, safetyMillis, shards }: Swarm): number {
  const perRecord = faults.blockedLoops?.millisPerRecord ?? 0;
  return 2 * perRecord * (3 * shards + (putsPerSecond * (safetyMillis + TAIL_MILLIS)) / 1_000);
}

/**
 * As if all poison records were in one shard: each takes the retries of its batch and the calls that isolate
 * it.
 */
function poisonBound(swarm: Swarm): number {
  const { poisonOneIn, putsPerSecond, safetyMillis, handlerMillis, processTimeoutMillis } = swarm;
  // A handler that is slower than its time limit fails with any record.
  const oneIn = handlerMillis.high > (processTimeoutMillis ?? Number.POSITIVE_INFINITY) ? 1 : poisonOneIn;
  if (oneIn === 0) return 0;
  const poison = Math.ceil((putsPerSecond * (safetyMillis + TAIL_MILLIS)) / 1_000 / oneIn);
  // The most calls that a record fails before it is repaired, the calls that isolate it, and half a minute of
  // proof.
  return poison * (3_000 + 26 * handlerMillis.high + 12 * MAX_RETRY_DELAY_MILLIS);
}

export const quietMillis = (swarm: Swarm): number => 2 * longestFailover(swarm) + 5_000;

export async function runSeed(seed: number, options: RunOptions): Promise<RunResult> {
  const swarm = drawSwarm(seed, options.draws, options.only);
  const cluster = new Cluster(swarm, options.startEngine, options.mutation);
  const { scheduler, history } = cluster;
  if (options.verbose) {
    cluster.log = (line) => options.verbose!(`${scheduler.now.toFixed(1).padStart(9)}  ${line}`);
    history.listen((line) => cluster.log(line));
  }

  history.add({ type: "phase", name: "safety" });
  for (let index = 0; index < swarm.workers; index++) {
    scheduler.at(
      swarm.startAtMillis + (index * swarm.startSpreadMillis) / swarm.workers,
      "start",
      () => void cluster.startWorker(),
    );
  }
  for (const { at, who, action } of swarm.schedule)
    scheduler.at(at, action.kind, () => cluster.perform(action, who));
  new FaultInjector(cluster).schedule();
  for (const [index, { from, millis }] of swarm.javaShifts.entries())
    scheduler.at(from, "Java", () => cluster.startJava(`java${index + 1}`, millis));
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
  if (swarm.faults.tampering.length > 0) cluster.putEverywhere();
  if (cluster.up().length === 0) cluster.startWorker();
  history.add({ type: "phase", name: "liveness" });
  const healedAt = scheduler.now;
  const limit = healedAt + livenessBound(swarm);
  const oracle = new Oracle(cluster, healedAt + TAIL_MILLIS + PUT_INTERVAL_MILLIS);
  let problem: string | undefined = "not looked at yet";
  while (problem !== undefined && scheduler.now < limit) {
    await scheduler.run(scheduler.now + POLL_INTERVAL_MILLIS);
    oracle.poll();
    if (swarm.remedy === "restart") cluster.replace(new Set(oracle.halted.values()));
    problem = oracle.unsettled();
  }
  const convergedAfterMillis = problem === undefined ? scheduler.now - healedAt : undefined;

  let spentCalls: Record<string, number> = {};
  if (problem === undefined) {
    history.add({ type: "phase", name: "settled" });
    // Remaining work of the convergence (the last checkpoints, the clean-up of parents) may still be done.
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
  // Anything that a stopped worker must no longer do would happen now.
  await scheduler.run(scheduler.now + 2 * longestFailover(swarm));

  const verdicts = judge({
    swarm,
    events: history.events,
    unsettled: problem,
    quietMillis: quietMillis(swarm),
    quietCalls: spentCalls,
    escaped: cluster.escaped,
    finalLeases: cluster.table.leases(),
    finalFleetRows: cluster.table.fleetRows(),
  });
  return {
    seed,
    swarm,
    traceHash: scheduler.traceHash,
    steps: scheduler.steps,
    virtualMillis: scheduler.now,
    convergedAfterMillis,
    ...(options.fingerprints && {
      fingerprint: fingerprintOf(history.events, cluster.table.leases(), verdicts.ok),
    }),
    ...verdicts,
  };
}

export const settleMillis = (swarm: Swarm): number =>
  swarm.checkpointIntervalMillis + 2 * swarm.shardSyncIntervalMillis + 2_000;

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
