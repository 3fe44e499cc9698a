/**
 * `start()` waits out what may pass, and rejects within half a minute, with the remedy, on what cannot work.
 * Failures that begin later and last are reported by log, status and health.
 */
import { describe, expect, it } from "vitest";
import type { ErrorClass } from "../../../src/core/error-class.ts";
import {
  type LeaseStore,
  StoreUnavailableError,
  StoreUnusableError,
} from "../../../src/ports/lease-store.ts";
import { type Stream, StreamError } from "../../../src/ports/stream.ts";
import type { EnginePorts } from "../../simulation/cluster.ts";
import { FaultyFleet, storeThrough } from "./faulty-fleet.ts";

type Trouble = ErrorClass | "never settles" | undefined;

/** One worker whose calls of these names fail. */
function starting(names: readonly string[]) {
  const trouble: { is: Trouble; calls: number } = { is: undefined, calls: 0 };
  const hit = async (name: string, act: () => Promise<unknown>, error: (c: ErrorClass) => Error) => {
    if (trouble.is === undefined || !names.includes(name)) return act();
    trouble.calls += 1;
    if (trouble.is === "never settles") return new Promise(() => undefined);
    throw error(trouble.is);
  };
  const storeError = (errorClass: ErrorClass) =>
    errorClass === "throttled" || errorClass === "unavailable"
      ? new StoreUnavailableError("drawn", { errorClass })
      : new StoreUnusableError("drawn: grant dynamodb:Scan", { errorClass });
  const ports = (given: EnginePorts): EnginePorts => {
    const stream: Stream = {
      ...given.stream,
      listShards: () =>
        hit(
          "listShards",
          () => given.stream.listShards(),
          (c) => new StreamError(c, "drawn"),
        ) as never,
      read: (...args) =>
        hit(
          "read",
          () => given.stream.read(...args),
          (c) => new StreamError(c, "drawn"),
        ) as never,
    };
    const store: LeaseStore = storeThrough(given.store, (name, act) => hit(name, act, storeError));
    return { ...given, stream, store };
  };
  const fleet = new FaultyFleet({ swarm: { shards: 2 }, ports });
  return { fleet, trouble };
}

const CALLS = ["ensureTable", "list", "join", "readFleet", "sendHeartbeat", "create", "claim", "listShards"];
const started = (fleet: FaultyFleet) =>
  fleet.cluster.history.events.flatMap((event) =>
    event.type === "worker" && (event.action === "joined" || event.action === "failed")
      ? [{ action: event.action, at: event.t, detail: event.detail }]
      : [],
  );

describe("a start", () => {
  const kinds: Trouble[] = ["throttled", "unavailable", "never settles"];
  it.each(CALLS.flatMap((name) => kinds.map((kind) => [name, kind] as const)))(
    "with %s %s for five seconds takes part soon after",
    async (name, kind) => {
      const { fleet, trouble } = starting([name]);
      trouble.is = kind;
      fleet.cluster.startWorker();
      await fleet.run(5_000);
      trouble.is = undefined;
      // A call that never settles is abandoned at its deadline: 30 s for a listing, 20 s for the table, less
      // for others.
      await fleet.run(kind === "never settles" ? 30_000 : 15_000);
      expect(started(fleet)).toMatchObject([{ action: "joined" }]);
      expect(fleet.engine("w1").status()).toMatchObject({ state: "active", leases: [{}, {}] });
    },
  );

  it.each([
    ["ensureTable", "denied"],
    ["ensureTable", "invalid"],
    ["list", "denied"],
    ["join", "denied"],
    ["sendHeartbeat", "denied"],
    ["createApplication", "denied"],
    ["listShards", "denied"],
    ["listShards", "not-found"],
    ["listShards", "expired-credentials"],
  ] as const)("with %s %s for good rejects within 30 s, with the class in the error", async (name, kind) => {
    const { fleet, trouble } = starting([name]);
    trouble.is = kind;
    fleet.cluster.startWorker();
    await fleet.run(30_000);
    const [end] = started(fleet);
    expect(end).toMatchObject({ action: "failed", detail: expect.stringContaining("drawn") });
    expect(end?.at).toBeLessThanOrEqual(30_000);
  });

  it("that finds only a table that does not answer says so, waits, and stops when asked to", async () => {
    const { fleet, trouble } = starting(["ensureTable", "list", "join", "readFleet", "sendHeartbeat"]);
    trouble.is = "never settles";
    const worker = fleet.cluster.startWorker();
    await fleet.run(180_000);
    expect(started(fleet)).toEqual([]);
    expect(fleet.said[0]).toMatchObject({ message: "start() is still waiting for the lease table" });
    expect(fleet.said[0]!.at).toBeLessThanOrEqual(30_000);
    expect(fleet.said.map(({ message }) => message)).toContainEqual(
      expect.stringContaining("lease table fails (unavailable)"),
    );
    fleet.cluster.stopWorker(worker);
    await fleet.run(26_000);
    expect(worker.state).not.toBe("stopping");
  });
});

describe("a worker that has started", () => {
  it.each([
    ["the table", ["list", "readFleet", "sendHeartbeat", "claim", "checkpoint"]],
    ["reading", ["read"]],
    ["listing", ["listShards"]],
  ])(
    "and is denied %s for good: told within 30 s by log, status and health; it goes on when the right is back",
    async (_, names) => {
      const { fleet, trouble } = starting(names);
      await fleet.start(1);
      await fleet.run(10_000);
      expect(fleet.engine("w1").health()).toEqual({ live: true, ready: true, reasons: [] });
      trouble.is = "denied";
      fleet.put();
      await fleet.run(30_000);
      const engine = fleet.engine("w1");
      expect(engine.status().lastError).toMatchObject({ errorClass: "denied" });
      expect(engine.health()).toMatchObject({ live: true, ready: false });
      expect(
        fleet.said.filter(({ level }) => level === "error").map(({ message }) => message),
      ).toContainEqual(expect.stringContaining("fails (denied)"));
      await fleet.run(270_000);
      trouble.is = undefined;
      await fleet.settle(20_000);
      expect(engine.health()).toEqual({ live: true, ready: true, reasons: [] });
      expect(fleet.outcome()).toMatchObject({ twice: 0, lost: 0 });
    },
  );

  it("backs off from a listing that fails for ten minutes: told once and seldom, and asked seldom", async () => {
    const { fleet, trouble } = starting(["listShards"]);
    await fleet.start(1);
    await fleet.run(10_000);
    trouble.is = "unavailable";
    trouble.calls = 0;
    await fleet.run(600_000);
    const lines = fleet.said.filter(({ message }) => message.includes("stream listing fails"));
    expect(lines.length).toBeGreaterThanOrEqual(1);
    expect(lines.length).toBeLessThanOrEqual(3);
    expect(lines[0]!.at).toBeLessThan(40_000);
    expect(trouble.calls).toBeLessThanOrEqual(130);
    trouble.is = undefined;
    await fleet.run(60_000);
    expect(fleet.said.at(-1)?.message).toBe("stream listing works again");
  });
});
