/**
 * Measures what a version costs that dies seconds after joining: per crash, the leases that change owners and
 * the records that are given to a handler twice. Also measures what these deaths cost a healthy worker that
 * joins after them.
 */

import { Cluster } from "./cluster.ts";
import { startEngine } from "./engine.ts";
import { faultFreeSwarm } from "./fault-free.ts";
import { failoverOf } from "./faults/unequal.ts";
import type { Mutation } from "./mutation.ts";

const WORKERS = 3;
const SHARDS = 20;
const FAILOVER_MILLIS = 4_000;
/** Longer than the failover time: the other workers have noticed the death by then. */
const RESTART_MILLIS = 6_000;
const PUT_MILLIS = 100;
const PUTS = 20;
const STEP_MILLIS = 50;
const GIVEN_UP_MILLIS = 120_000;

export interface CrashLoop {
  readonly crashes: number;
  /** From becoming active to the crash. */
  readonly livesMillis: number;
  /** From the crash to the next start. */
  readonly pauseMillis: number;
  readonly sameId: boolean;
}

export interface CrashLoopFigures {
  readonly movesPerCrash: number;
  readonly twicePerCrash: number;
  /**
   * A healthy worker that starts after the last crash: until the leases are even, and the moves until then.
   */
  readonly joiner: JoinerFigures;
}

export interface JoinerFigures {
  readonly evenAfterMillis: number | undefined;
  readonly moves: number;
}

export async function measureCrashLoop(loop: CrashLoop, mutation?: Mutation): Promise<CrashLoopFigures> {
  const { crashes, livesMillis, pauseMillis, sameId } = loop;
  const cluster = await evenFleet(mutation);
  const { scheduler } = cluster;
  const from = cluster.history.events.length;
  for (let crash = 1; crash <= crashes; crash++) {
    const worker = cluster.startWorker(sameId ? "crasher" : `crasher${crash}`);
    await until(cluster, () => worker.state !== "starting");
    await scheduler.run(scheduler.now + livesMillis);
    cluster.crash(worker, "crash loop");
    await scheduler.run(scheduler.now + pauseMillis);
  }
  await until(cluster, () => isEven(cluster, WORKERS));
  const figures = {
    movesPerCrash: movesSince(cluster, from) / crashes,
    twicePerCrash: handledTwice(cluster) / crashes,
  };
  return { ...figures, joiner: await join(cluster, sameId ? "crasher" : "healthy") };
}

/** A healthy worker joins a fleet in which no worker has died. */
export const measureJoiner = async (): Promise<JoinerFigures> => join(await evenFleet(), "healthy");

async function evenFleet(mutation?: Mutation): Promise<Cluster> {
  const cluster = new Cluster(
    faultFreeSwarm({
      shards: SHARDS,
      failoverTimeMillis: FAILOVER_MILLIS,
      handlerMillis: { low: 0, high: 20 },
    }),
    startEngine,
    mutation,
  );
  const put = () => {
    cluster.putSome(PUTS);
    cluster.scheduler.after(PUT_MILLIS, "put", put);
  };
  put();
  for (let index = 0; index < WORKERS; index++) cluster.startWorker();
  await until(cluster, () => isEven(cluster, WORKERS));
  // Until the workers are no longer young.
  await cluster.scheduler.run(cluster.scheduler.now + 4 * failoverOf(cluster.swarm, "w1"));
  return cluster;
}

async function join(cluster: Cluster, id: string): Promise<JoinerFigures> {
  const { scheduler, history } = cluster;
  const [from, startedAt] = [history.events.length, scheduler.now];
  cluster.startWorker(id);
  const isDone = await until(cluster, () => isEven(cluster, WORKERS + 1));
  return {
    evenAfterMillis: isDone ? scheduler.now - startedAt : undefined,
    moves: movesSince(cluster, from),
  };
}

async function until({ scheduler }: Cluster, holds: () => boolean): Promise<boolean> {
  const limit = scheduler.now + GIVEN_UP_MILLIS;
  while (!holds() && scheduler.now < limit) await scheduler.run(scheduler.now + STEP_MILLIS);
  return holds();
}

function isEven(cluster: Cluster, workers: number): boolean {
  const up = cluster.up().map(({ id }) => id);
  const counts = new Map(up.map((id) => [id, 0]));
  for (const { owner } of cluster.table.leases())
    if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const owned = [...counts.values()];
  const isServed = owned.reduce((sum, count) => sum + count, 0) === SHARDS && counts.size === workers;
  return isServed && Math.max(...owned) - Math.min(...owned) <= 1;
}

const movesSince = ({ history }: Cluster, from: number): number =>
  history.events
    .slice(from)
    .filter(
      (event) =>
        event.type === "write" &&
        (event.operation === "handOver" ||
          (event.operation === "claim" && event.before?.owner !== event.after?.owner)),
    ).length;

function handledTwice({ history }: Cluster): number {
  const times = new Map<string, number>();
  for (const event of history.events)
    if (event.type === "handled")
      for (const number of event.sequenceNumbers) times.set(number, (times.get(number) ?? 0) + 1);
  return [...times.values()].filter((count) => count > 1).length;
}

export async function runCrashLoops(say: (line: string) => void): Promise<void> {
  say(
    `${WORKERS} workers, ${SHARDS} shards, failover time ${FAILOVER_MILLIS} ms, ${(PUTS * 1_000) / PUT_MILLIS} records a second`,
  );
  const shown = ({ evenAfterMillis, moves }: JoinerFigures) =>
    evenAfterMillis === undefined
      ? "never even"
      : `even after ${(evenAfterMillis / 1_000).toFixed(1)} s, ${moves} moves`;
  say(`a healthy joiner after no death: ${shown(await measureJoiner())}`);
  for (const crashes of [1, 5])
    for (const sameId of [true, false])
      for (const pauseMillis of [0, RESTART_MILLIS])
        for (const livesMillis of [500, 2_000, 5_000]) {
          const loop = { crashes, livesMillis, pauseMillis, sameId };
          const { movesPerCrash, twicePerCrash, joiner } = await measureCrashLoop(loop);
          say(
            `${crashes} × ${sameId ? "same id" : "new id"}, lives ${livesMillis} ms, back after ${pauseMillis} ms: ` +
              `${movesPerCrash.toFixed(1)} moves and ${twicePerCrash.toFixed(1)} records twice a crash; a healthy joiner then: ${shown(joiner)}`,
          );
        }
}
