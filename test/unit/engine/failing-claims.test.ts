/**
 * Claims that fail again and again: reported once and then seldom, all counted, and reported when they work
 * again.
 */
import { describe, expect, it } from "vitest";
import type { ErrorClass } from "../../../src/core/error-class.ts";
import { StoreUnavailableError } from "../../../src/ports/lease-store.ts";
import { FaultyFleet, storeThrough } from "./faulty-fleet.ts";

/** The claims of w1 fail until they are repaired. */
function failingClaims(errorClass: ErrorClass, steals = true) {
  let fails = true;
  let failures = 0;
  const fleet = new FaultyFleet({
    swarm: { shards: 6, steals },
    ports: (ports, workerId) => ({
      ...ports,
      store: storeThrough(ports.store, (name, act) => {
        if (name !== "claim" || workerId !== "w1" || !fails) return act();
        failures += 1;
        return Promise.reject(new StoreUnavailableError("no", { errorClass }));
      }),
    }),
  });
  const said = () => fleet.said.filter(({ message }) => message.startsWith("claiming"));
  const heal = () => {
    fails = false;
  };
  return { fleet, said, heal, failures: () => failures };
}

describe("claims that fail", () => {
  it("are an error line at once where that needs a person, and each is counted", async () => {
    const { fleet, said, heal, failures } = failingClaims("denied");
    await fleet.start(1);
    await fleet.run(60_000);
    expect(said()).toMatchObject([{ level: "error", fields: { errorClass: "denied" } }]);
    expect(fleet.engine("w1").health().reasons.join()).toContain("claiming fails (denied)");
    heal();
    await fleet.run(10_000);
    expect(new Set(fleet.owners())).toEqual(new Set(["w1"]));
    expect(said().slice(1)).toMatchObject([
      { message: "claiming works again", fields: { failures: failures() } },
    ]);
    expect(fleet.engine("w1").health().ready).toBe(true);
  });

  it("are a warning where it lasts", async () => {
    const { fleet, said } = failingClaims("throttled");
    await fleet.start(1);
    await fleet.run(60_000);
    expect(said()).toMatchObject([{ level: "warn", fields: { errorClass: "throttled" } }]);
  });

  it("are not told where it passes by itself", async () => {
    const { fleet, said, heal, failures } = failingClaims("throttled");
    await fleet.start(1);
    await fleet.run(3_000);
    heal();
    await fleet.run(60_000);
    expect(failures()).toBeGreaterThan(0);
    expect(said()).toEqual([]);
  });

  it("are told of by a worker whose leases others take meanwhile, and forgotten in the end", async () => {
    const { fleet, said } = failingClaims("denied", false);
    await fleet.start(2);
    await fleet.run(30_000);
    expect(new Set(fleet.owners())).toEqual(new Set(["w2"]));
    expect(said()).toMatchObject([{ level: "error", worker: "w1" }]);
    expect(fleet.engine("w1").health().ready).toBe(false);
    await fleet.run(150_000);
    expect(fleet.engine("w1").health().ready).toBe(true);
    expect(said()).toHaveLength(1);
  });

  it("have no worker give it another lease, once one was taken in its place", async () => {
    const fleet = new FaultyFleet({
      swarm: { shards: 27, failoverTimeMillis: 4_000 },
      ports: (ports, workerId) => ({
        ...ports,
        store: storeThrough(ports.store, async (name, act) => {
          if (name === "claim" && workerId === "w9") throw new StoreUnavailableError("the claim failed");
          return act();
        }),
      }),
    });
    await fleet.start(8);
    await fleet.run(15_000);
    fleet.put();
    fleet.cluster.startWorker();
    await fleet.run(50_000);
    await fleet.settle();
    const given = fleet.cluster.history.events.filter(
      (event) => event.type === "write" && event.operation === "handOver" && event.after?.owner === "w9",
    );
    expect(given.length).toBeLessThanOrEqual(3);
    expect(fleet.outcome()).toMatchObject({ markedDead: 0, twice: 0, lost: 0 });
  });
});
