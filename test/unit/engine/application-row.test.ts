/** The application row, deleted by Java KCL's clean-up or by an operator while the fleet runs. */
import { expect, it } from "vitest";
import { Cluster } from "../../simulation/cluster.ts";
import { startEngine } from "../../simulation/engine.ts";
import { faultFreeSwarm } from "../../simulation/fault-free.ts";

it("is written again as it was, with the next change in the fleet", async () => {
  const cluster = new Cluster(faultFreeSwarm({ shards: 4, initialPosition: "LATEST" }), startEngine);
  const { scheduler, table, history } = cluster;
  cluster.startWorker();
  await scheduler.run(10_000);
  const begun = table.application.row;
  expect(begun).toMatchObject({ initialPosition: "LATEST", isClearing: false });
  table.application.deleteByHand();
  cluster.startWorker();
  // The joiner waits for no other worker: it may be the first to write the row, and must not move the
  // beginning.
  await scheduler.run(scheduler.now + 5_000);
  expect(table.application.row?.startMillis).toBe(begun?.startMillis);
  table.application.deleteByHand();
  cluster.stopWorker(cluster.up()[1]!);
  await scheduler.run(scheduler.now + 5_000);
  expect(table.application.row).toEqual(begun);
  const told = history.events.filter(
    (event) => event.type === "log" && /application's row was deleted/.test(event.message),
  );
  expect(told.length).toBeGreaterThan(0);
});
