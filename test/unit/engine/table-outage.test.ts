/**
 * The lease table fails for all workers at once, for any time, and then works again. All workers are healthy,
 * so none is marked dead, none joins again, no lease moves and no record is processed twice (cases: r02).
 */
import { describe, expect, it } from "vitest";
import { type LeaseStore, StoreUnavailableError } from "../../../src/ports/lease-store.ts";
import { Cluster, type EnginePorts } from "../../simulation/cluster.ts";
import { startEngine } from "../../simulation/engine.ts";
import { faultFreeSwarm } from "../../simulation/fault-free.ts";
import { NO_FAULT_PLAN } from "../../simulation/faults/plan.ts";
import type { SimEvent } from "../../simulation/world/history.ts";

const WORKERS = 8;
const SHARDS = 40;

type Fails =
  | "reads and writes"
  | "writes"
  | "some writes"
  | "answers of writes"
  | "no answers"
  | "nothing in an answer";

const READS: ReadonlySet<string> = new Set(["list", "readFleet", "ensureTable"]);

/** A store whose calls fail, for every worker, while `outage.on`. */
function failing({ store, clock, random }: EnginePorts, outage: { on: boolean }, fails: Fails): LeaseStore {
  const unanswered = new Promise<never>(() => undefined);
  const call = async (name: string, act: () => Promise<unknown>): Promise<unknown> => {
    if (fails === "nothing in an answer" && outage.on) {
      if (name === "list") return { leases: [], corrupt: [], fleetRows: [], hasApplication: false };
      if (name === "readFleet") return undefined;
    }
    const applies = outage.on && (fails === "reads and writes" || fails === "no answers" || !READS.has(name));
    if (!applies || (fails === "some writes" && random.next() < 0.1)) return act();
    if (fails === "answers of writes") await act();
    if (fails === "no answers") return unanswered;
    await clock.sleep(fails === "reads and writes" ? 2_000 : 20);
    throw new StoreUnavailableError(`${name}: drawn to fail`);
  };
  const wrapped = Object.entries(store).map(([name, method]) => [
    name,
    (...args: unknown[]) => call(name, () => (method as (...a: unknown[]) => Promise<unknown>)(...args)),
  ]);
  return Object.fromEntries(wrapped) as LeaseStore;
}

/** @param failoverTimesMillis each worker has one of them */
async function outageOf(fails: Fails, outageMillis: number, failoverTimesMillis: readonly number[]) {
  const outage = { on: false };
  const failoverTimeMillis = Math.max(...failoverTimesMillis);
  const swarm = faultFreeSwarm({
    ...{ shards: SHARDS, failoverTimeMillis, handlerMillis: { low: 0, high: 20 } },
    faults: { ...NO_FAULT_PLAN, failoverTimesMillis },
  });
  const cluster = new Cluster(swarm, (ports, options) =>
    startEngine({ ...ports, store: failing(ports, outage, fails) }, options),
  );
  const { scheduler, history } = cluster;
  let isPutting = true;
  const put = () => {
    if (!isPutting) return;
    cluster.putSome(10);
    scheduler.after(200, "put", put);
  };
  put();
  for (let index = 0; index < WORKERS; index++) {
    cluster.startWorker();
    await scheduler.run(scheduler.now + 20);
  }
  await scheduler.run(20_000);
  const before = history.events.length;
  outage.on = true;
  await scheduler.run(scheduler.now + outageMillis);
  outage.on = false;
  await scheduler.run(scheduler.now + 3 * failoverTimeMillis);
  isPutting = false;
  await scheduler.run(scheduler.now + 5_000);
  return told(history.events, before);
}

function told(events: readonly SimEvent[], from: number) {
  const deliveries = new Map<string, number>();
  for (const event of events)
    if (event.type === "handled")
      for (const number of event.sequenceNumbers) deliveries.set(number, (deliveries.get(number) ?? 0) + 1);
  const during = events.slice(from);
  const members = (operation: string) =>
    during.filter((event) => event.type === "member" && event.operation === operation).length;
  return {
    markedDead: members("markDead"),
    joins: members("join"),
    claims: during.filter((event) => event.type === "write" && event.operation === "claim").length,
    twice: [...deliveries.values()].filter((count) => count > 1).length,
    unhandled: events.filter((event) => event.type === "put").length - deliveries.size,
  };
}

describe.each([10_000, 4_000])(
  "a lease table that fails for every worker, failover time %d ms",
  (failover) => {
    const lengths = [2_000, 3_500, 5_000, 8_000, 15_000, 60_000];
    const kinds: Fails[] = [
      "reads and writes",
      "writes",
      "some writes",
      "answers of writes",
      "no answers",
      "nothing in an answer",
    ];
    it.each(kinds.flatMap((fails) => lengths.map((millis) => [fails, millis] as const)))(
      "%s, %d ms: no worker is marked dead, no record comes twice",
      { timeout: 60_000 },
      async (fails, millis) => {
        expect(await outageOf(fails, millis, [failover])).toEqual({
          markedDead: 0,
          joins: 0,
          claims: 0,
          twice: 0,
          unhandled: 0,
        });
      },
    );
  },
);

describe("a lease table that fails for every worker, of which some have a failover time of 50 s and some of 5 s", () => {
  const kinds: Fails[] = ["reads and writes", "writes", "answers of writes", "no answers"];
  it.each(kinds.flatMap((fails) => [3_500, 10_000, 30_000].map((millis) => [fails, millis] as const)))(
    "%s, %d ms: no worker is marked dead, no record comes twice",
    { timeout: 60_000 },
    async (fails, millis) => {
      expect(await outageOf(fails, millis, [50_000, 5_000])).toEqual({
        markedDead: 0,
        joins: 0,
        claims: 0,
        twice: 0,
        unhandled: 0,
      });
    },
  );
});
