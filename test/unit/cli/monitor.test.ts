import { describe, expect, it } from "vitest";
import { distribution, fleetState, isEven, movesBetween, type Snapshot } from "../../../lab/fleet/state.ts";
import { emptyMonitor, withFlow, withProblem, withSnapshot } from "../../../lab/monitor/monitor.ts";
import { renderMonitor } from "../../../lab/monitor/terminal.ts";
import type { Lease, Member } from "../../../src/inspect.ts";

const lease = (number: number, owner: string | undefined, more: Partial<Lease> = {}): Lease => ({
  leaseKey: `shardId-${String(number).padStart(12, "0")}`,
  owner,
  counter: 1,
  checkpoint: { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 },
  ownerSwitchesSinceCheckpoint: 0,
  parentShardIds: [],
  childShardIds: [],
  hashRange: undefined,
  checkpointOwner: undefined,
  ...more,
});
const child = (number: number, owner: string | undefined, parent: number) =>
  lease(number, owner, { parentShardIds: [lease(parent, undefined).leaseKey] });
const ended = { checkpoint: { sequenceNumber: "SHARD_END", subSequenceNumber: 0 } };

const member = (
  workerId: string,
  state: Member["state"] = "active",
  maxLeases: number | undefined = 3,
): Member => ({
  workerId,
  incarnation: "1",
  heartbeat: 1,
  state,
  maxLeases,
  steals: true,
  failoverTimeMillis: 10_000,
});

const snapshot = (leases: Lease[], members: Member[], t = 0): Snapshot => ({
  t,
  leases,
  corrupt: [],
  fleetRows: [{ number: 0, version: 7, shardSyncRequests: 0, members }],
});

const EVEN = snapshot(
  [lease(0, "a"), lease(1, "a"), lease(2, "b"), lease(3, "b"), lease(4, "c")],
  [member("a"), member("b"), member("c")],
);

describe("the fleet's state", () => {
  it("knows an even fleet by its counts", () => {
    const state = fleetState(EVEN);
    expect(distribution(state)).toBe("2/2/1");
    expect(isEven(state, 5, 3)).toBe(true);
    expect(isEven(state, 5, 2)).toBe(false);
    expect(isEven(state, 6, 3)).toBe(false);
    expect(state).toMatchObject({ load: 5, unowned: [], plannedMoves: 0, fleetVersion: 7 });
  });

  it("tells draining parents, blocked children and ended leases apart", () => {
    const state = fleetState(
      snapshot(
        [
          lease(0, "a"),
          child(2, undefined, 0),
          child(3, undefined, 0),
          lease(1, undefined, ended),
          child(4, "a", 1),
        ],
        [member("a")],
      ),
    );
    expect(state).toMatchObject({ load: 2, draining: 1, blocked: 2, ended: 1, unowned: [] });
    expect(state.workers).toEqual([
      { workerId: "a", state: "active", open: 1, draining: 1, blocked: 0, cap: 3 },
    ]);
    expect(isEven(state, 2, 1)).toBe(false);
  });

  it("names what nobody owns, and plans it as the workers do", () => {
    const state = fleetState(snapshot([lease(0, "a"), lease(1, undefined)], [member("a"), member("b")]));
    expect(state.unowned).toEqual(["shardId-000000000001"]);
    expect(state.plannedMoves).toBe(1);
  });

  it("plans with joiners, and takes nothing from owners without membership but what is too much", () => {
    const four = [0, 1, 2, 3].map((number) => lease(number, "a", {}));
    expect(
      fleetState(snapshot(four, [member("a", "active", 9), member("b", "joining", 9)])).plannedMoves,
    ).toBe(2);
    const shared = [lease(0, "java"), lease(1, "java"), lease(2, "a"), lease(3, "a")];
    expect(fleetState(snapshot(shared, [member("a", "active", 9)])).plannedMoves).toBe(0);
  });

  it("shows owners without membership, and looks past the dead that own nothing", () => {
    const state = fleetState(
      snapshot([lease(0, "java"), lease(1, "a")], [member("a"), member("gone", "dead")]),
    );
    expect(state.workers.map(({ workerId, state: word }) => [workerId, word])).toEqual([
      ["a", "active"],
      ["gone", "dead"],
      ["java", "unknown"],
    ]);
    expect(distribution(state)).toBe("1/1");
  });

  it("sees moves of leases that were there, but not the end of a lease", () => {
    const before = fleetState(snapshot([lease(0, "a"), lease(1, "a"), lease(2, "a")], [member("a")]));
    const after = fleetState(
      snapshot([lease(0, "b"), lease(1, undefined, ended), lease(2, "a"), lease(9, "b")], [member("a")], 5),
    );
    expect(movesBetween(before, after)).toEqual([
      { t: 5, leaseKey: "shardId-000000000000", from: "a", to: "b" },
    ]);
  });
});

describe("rates", () => {
  it("are counted over the last seconds only", () => {
    const at = (seconds: number, produced: number) =>
      [seconds * 1_000, { produced, processed: 0, pending: produced }] as const;
    let state = emptyMonitor("t");
    for (const [t, counts] of [at(0, 0), at(2, 400), at(4, 800), at(6, 800), at(8, 800)])
      state = withFlow(state, t, counts);
    expect(state.flow?.inPerSecond).toBe(0);
    expect(withFlow(state, 9_000, { produced: 1_300, processed: 0, pending: 0 }).flow?.inPerSecond).toBe(100);
  });
});

describe("the terminal view", () => {
  const view = { width: 80, height: 24, colour: false, paused: false, time: () => "12:00:00" };
  const shown = (state = withSnapshot(emptyMonitor("Evenkeel · stream"), EVEN), change = {}) =>
    renderMonitor(state, { ...view, ...change });

  it("is this at 80 columns", () => {
    const state = withFlow(
      withSnapshot(withSnapshot(emptyMonitor("Evenkeel · stream"), EVEN), {
        ...EVEN,
        leases: [
          lease(0, "a"),
          lease(1, "b"),
          lease(2, "b"),
          lease(3, undefined),
          child(5, undefined, 0),
          lease(4, "c"),
        ],
      }),
      0,
      { produced: 10, processed: 7, pending: 3 },
    );
    expect(shown(state)).toEqual([
      "Evenkeel · stream                                                       12:00:00",
      "",
      "  worker owned /cap",
      "  a          1 /3   ▒▒····",
      "  b          2 /3   ████··",
      "  c          1 /3   ██····",
      "",
      "  shards   5 live, 1 unowned, 1 draining, 1 blocked, 0 ended",
      "  moves    1 to go, 2 seen",
      "  records  0/s in, 0/s handled, 3 on the way",
      "",
      "  12:00:00  shard 3    b → nobody",
      "  12:00:00  shard 1    a → b",
    ]);
  });

  it("is this at 60 columns, paused", () => {
    expect(shown(undefined, { width: 60, paused: true })).toEqual([
      "Evenkeel · stream                            paused 12:00:00",
      "",
      "  worker owned /cap",
      "  a          2 /3   ████··",
      "  b          2 /3   ████··",
      "  c          1 /3   ██····",
      "",
      "  shards   5 live, 0 unowned",
      "  moves    none to go, 0 seen",
      "  records  not counted here (npx evenkeel metrics has them)",
    ]);
  });

  it("never goes over the width, nor over the height with a large fleet", () => {
    const workers = Array.from({ length: 100 }, (_, i) => `consumer-${"x".repeat(40)}-${i}`);
    const leases = workers.flatMap((worker, i) =>
      Array.from({ length: 10 }, (_, j) => lease(i * 10 + j, worker)),
    );
    const state = withSnapshot(
      emptyMonitor("a very long title ".repeat(10)),
      snapshot(
        leases,
        workers.map((w) => member(w, "active", undefined)),
      ),
    );
    for (const [width, height] of [
      [80, 24],
      [60, 20],
      [40, 15],
    ] as const) {
      const lines = shown(state, { width, height });
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(lines.length).toBeLessThanOrEqual(height);
      expect(lines.join("\n")).toContain("more workers");
    }
  });

  it("says why nothing is seen", () => {
    expect(shown(withProblem(emptyMonitor("t"), "no answer")).join("\n")).toContain("no answer");
    expect(shown(withSnapshot(emptyMonitor("t"), snapshot([], []))).join("\n")).toContain("no worker yet");
  });
});
