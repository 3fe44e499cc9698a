import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fleetState } from "../../../lab/fleet/state.ts";
import { fleetChange } from "../../../lab/monitor/web/dashboard-change.ts";
import {
  applyChange,
  type DashboardChange,
  type DashboardState,
  emptyDashboard,
  MAX_HANDOVERS,
  MAX_LOG,
  MAX_SEGMENTS,
  shownMillis,
  TURN,
  WINDOW_MILLIS,
} from "../../../lab/monitor/web/dashboard-state.ts";
import { type Fleet, shardId, snapshotOf } from "../../browser/scripted-source.ts";

describe("how much of the past is shown", () => {
  const seenFor = (millis: number): DashboardState => ({
    ...emptyDashboard("t"),
    tracks: [{ key: shardId(0), parents: [], segments: [[NOW - millis, 0, TURN.open]] }],
  });
  const NOW = 10_000_000;
  it.each([
    [2_000, 180_000, 30_000, "half a minute at the least"],
    [70_000, 180_000, 70_000, "what there is"],
    [500_000, 180_000, 180_000, "what was chosen"],
  ])("seen for %d ms, %d chosen: %d (%s)", (seen, chosen, expected) => {
    expect(shownMillis(seenFor(seen), NOW, chosen)).toBe(expected);
    expect(shownMillis(emptyDashboard("t"), NOW, chosen)).toBe(30_000);
  });
});

/** The server's side: a dashboard state updated by each snapshot of the fleet. */
function watched(measured = false) {
  const dashboard = emptyDashboard("t");
  const numbering = { highest: 0 };
  const see = (t: number, fleet: Fleet): DashboardChange => {
    const state = fleetState(snapshotOf(fleet, t));
    const change = fleetChange(dashboard, numbering, { fleet: state, moves: 0, measured });
    applyChange(dashboard, change);
    return change;
  };
  return { dashboard, see };
}

const turnsOf = (dashboard: DashboardState, number: number) =>
  dashboard.tracks
    .find(({ key }) => key === shardId(number))
    ?.segments.map(([t, worker, turn]) => [t, worker, turn]);
const texts = (dashboard: DashboardState) => dashboard.log.map(({ text }) => text);

const TWO: Fleet = { owners: { 0: "ann", 1: "bob" }, members: ["ann", "bob"] };

describe("the board", () => {
  it("keeps who owned what from when on, and nothing where nothing changed", () => {
    const { dashboard, see } = watched();
    see(1_000, TWO);
    expect(see(2_000, TWO).turns).toBeUndefined();
    see(3_000, { ...TWO, owners: { 0: "ann", 1: undefined } });
    see(4_000, { ...TWO, owners: { 0: "ann", 1: "ann" } });
    expect(turnsOf(dashboard, 0)).toEqual([[1_000, 1, TURN.open]]);
    expect(turnsOf(dashboard, 1)).toEqual([
      [1_000, 2, TURN.open],
      [3_000, 0, TURN.open],
      [4_000, 1, TURN.open],
    ]);
  });

  it("shows a split: draining parent, waiting children below it, then the end of the parent", () => {
    const { dashboard, see } = watched();
    see(1_000, TWO);
    const split = {
      ...TWO,
      owners: { ...TWO.owners, 2: undefined, 3: undefined },
      parents: { 2: [0], 3: [0] },
    };
    see(2_000, split);
    expect(dashboard.tracks.map(({ key }) => key)).toEqual([0, 2, 3, 1].map(shardId));
    expect(turnsOf(dashboard, 0)?.at(-1)).toEqual([2_000, 1, TURN.draining]);
    expect(turnsOf(dashboard, 2)).toEqual([[2_000, 0, TURN.blocked]]);
    see(3_000, { ...split, ended: [0], owners: { ...split.owners, 2: "bob", 3: "ann" } });
    expect(turnsOf(dashboard, 0)?.at(-1)?.[2]).toBe(TURN.ended);
    expect(texts(dashboard)).toContain("2 new shards of 1 parents");
    expect(texts(dashboard)).toContain("1 shard read to the end");
  });

  it("tells a hand-over with the time nobody owned it, unless the workers' history tells it better", () => {
    const hop = ({ dashboard, see }: ReturnType<typeof watched>) => {
      see(1_000, TWO);
      see(2_000, { ...TWO, owners: { 0: "ann", 1: undefined } });
      see(2_700, { ...TWO, owners: { 0: "bob", 1: "ann" } });
      return dashboard.handovers;
    };
    const seen = { t: 2_700, how: "seen" };
    expect(hop(watched(false))).toEqual([
      { ...seen, key: shardId(1), from: "bob", to: "ann", gapMillis: 700 },
      { ...seen, key: shardId(0), from: "ann", to: "bob", gapMillis: null },
    ]);
    expect(hop(watched(true))).toEqual([]);
  });

  it("gives a new worker a number and a colour that nobody in the picture has", () => {
    const { dashboard, see } = watched();
    see(1_000, TWO);
    see(2_000, {
      owners: { 0: "ann", 1: "a-long-task-id-of-ecs" },
      members: ["ann", "a-long-task-id-of-ecs"],
    });
    expect(dashboard.workers.map(({ name, colour, state }) => [name, colour, state])).toEqual([
      ["ann", 1, "active"],
      ["bob", 2, "gone"],
      ["w3", 3, "active"],
    ]);
    expect(texts(dashboard)).toContain("bob is gone");
    see(WINDOW_MILLIS, {
      owners: { 0: "ann", 1: "a-long-task-id-of-ecs" },
      members: ["ann", "a-long-task-id-of-ecs"],
    });
    expect(dashboard.workers.map(({ name }) => name)).toContain("bob");
    see(2_000 + WINDOW_MILLIS + 1, { owners: { 0: "ann", 1: "ann" }, members: ["ann", "dan"] });
    expect(dashboard.workers.map(({ name, colour }) => [name, colour])).toContainEqual(["dan", 4]);
    expect(dashboard.workers.map(({ name }) => name)).not.toContain("bob");
  });

  it("says what is wrong and what is good again", () => {
    const { dashboard, see } = watched();
    see(1_000, TWO);
    see(2_000, { ...TWO, owners: { 0: "ann", 1: undefined } });
    see(3_000, TWO);
    expect(
      dashboard.log.filter(({ tone }) => tone !== "plain").map(({ text, tone }) => [text, tone]),
    ).toEqual([
      ["settled: 1/1", "good"],
      ["every shard has an owner", "good"],
      ["1 shard has no owner", "bad"],
    ]);
  });

  it("forgets what the window no longer shows, and never grows beyond its bounds", () => {
    const { dashboard, see } = watched();
    for (let i = 0; i < 3 * MAX_SEGMENTS; i++)
      see(i * 1_000, { ...TWO, owners: { 0: i % 2 === 0 ? "ann" : "bob", 1: "bob" } });
    expect(turnsOf(dashboard, 0)).toHaveLength(MAX_SEGMENTS);
    expect(dashboard.handovers.length).toBeLessThanOrEqual(MAX_HANDOVERS);
    expect(dashboard.log.length).toBeLessThanOrEqual(MAX_LOG);
    see(3 * WINDOW_MILLIS, { ...TWO, owners: { 1: "bob" } });
    see(5 * WINDOW_MILLIS, { ...TWO, owners: { 1: "bob" } });
    expect(dashboard.tracks.map(({ key, segments }) => [key, segments.length])).toEqual([[shardId(1), 1]]);
  });

  it("is the same on the page as on the server, whenever the page came, whatever happened", () => {
    const owner = fc.constantFrom("ann", "bob", "cid", "a-worker-with-a-long-id", undefined);
    const fleet = fc.record({
      owners: fc.dictionary(fc.constantFrom("0", "1", "2", "3", "4"), owner),
      parents: fc.constant({ 3: [0], 4: [0, 1] }),
      ended: fc.subarray([0, 1]),
      members: fc.subarray(["ann", "bob", "cid"]),
      cap: fc.constant(3),
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 400_000 }), fleet)),
        fc.nat(10),
        (steps, joinAt) => {
          const { dashboard, see } = watched();
          let t = 0;
          let page: DashboardState | undefined;
          for (const [i, [later, next]] of steps.entries()) {
            if (i === joinAt) page = JSON.parse(JSON.stringify(dashboard));
            t += later;
            const change = see(t, next);
            if (page) applyChange(page, JSON.parse(JSON.stringify(change)));
          }
          if (page) expect(page).toEqual(JSON.parse(JSON.stringify(dashboard)));
        },
      ),
    );
  });
});
