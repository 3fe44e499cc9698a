/**
 * One worker's writes reach the lease table, and no answer reaches the worker. It calls no handler, because
 * it cannot know whether it is still a member. To the others its heartbeat does not move, so its shards do
 * not wait until the failure ends.
 */
import { expect, it } from "vitest";
import { type LeaseStore, StoreUnavailableError } from "../../../src/ports/lease-store.ts";
import { Cluster, type EnginePorts } from "../../simulation/cluster.ts";
import { startEngine } from "../../simulation/engine.ts";
import { faultFreeSwarm } from "../../simulation/fault-free.ts";

const FAILOVER_MILLIS = 10_000;

function withoutAnswers({ store, clock }: EnginePorts, hasNoAnswers: () => boolean): LeaseStore {
  const wrapped = Object.entries(store).map(([name, method]) => [
    name,
    async (...args: unknown[]) => {
      const answer = await (method as (...a: unknown[]) => Promise<unknown>)(...args);
      if (!hasNoAnswers()) return answer;
      await clock.sleep(50);
      throw new StoreUnavailableError(`${name}: the answer is lost`);
    },
  ]);
  return Object.fromEntries(wrapped) as LeaseStore;
}

it("a worker whose answers are all lost is replaced within a failover time and 5 s, and comes back", async () => {
  let lost = false;
  const swarm = faultFreeSwarm({ shards: 8, failoverTimeMillis: FAILOVER_MILLIS });
  const cluster = new Cluster(swarm, (ports, options) => {
    const hasNoAnswers = () => lost && options.workerId === "w2";
    return startEngine({ ...ports, store: withoutAnswers(ports, hasNoAnswers) }, options);
  });
  const { scheduler, history, table } = cluster;
  const put = () => {
    cluster.putSome(4);
    scheduler.after(500, "put", put);
  };
  put();
  for (let index = 0; index < 4; index++) cluster.startWorker();
  await scheduler.run(20_000);
  lost = true;
  const lostAt = scheduler.now;
  await scheduler.run(lostAt + FAILOVER_MILLIS + 5_000);
  const owners = new Set(table.leases().map(({ owner }) => owner));
  expect(owners).toEqual(new Set(["w1", "w3", "w4"]));
  const perShard = new Map<string, number[]>();
  for (const event of history.events)
    if (event.type === "handled")
      perShard.set(event.shardId, [...(perShard.get(event.shardId) ?? [lostAt]), event.t]);
  const longest = [...perShard.values()].map((times) =>
    Math.max(...times.slice(1).map((t, index) => t - times[index]!)),
  );
  expect(longest).toHaveLength(8);
  for (const millis of longest) expect(millis).toBeLessThan(FAILOVER_MILLIS + 5_000);

  await scheduler.run(scheduler.now + 30_000);
  lost = false;
  await scheduler.run(scheduler.now + 15_000);
  const counts = table.leases().filter(({ owner }) => owner === "w2");
  expect(counts).toHaveLength(2);
  const numbers = history.events.flatMap((event) => (event.type === "put" ? [event.sequenceNumber] : []));
  const handled = new Set(
    history.events.flatMap((event) => (event.type === "handled" ? event.sequenceNumbers : [])),
  );
  // The records of the last second may still be in flight.
  expect(numbers.slice(0, -20).filter((number) => !handled.has(number))).toEqual([]);
});
