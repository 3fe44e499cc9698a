import { describe, expect, it } from "vitest";
import type { Member } from "../../../services/consumer/core/member.ts";
import { FleetView } from "../../../services/consumer/engine/fleet-view.ts";

const FAILOVER_MILLIS = 2_000;

const member = (rest: Partial<Member>): Member => ({
  workerId: "ann",
  incarnation: "first",
  heartbeat: 1,
  state: "active",
  maxLeases: undefined,
  steals: true,
  ...rest,
});

describe("silent members", () => {
  const look = (view: FleetView, page: number, entry: Member, atMillis: number) =>
    view.sawPage({ page, generation: 1, shardSyncRequests: 0, members: [entry] }, atMillis);

  it("are those whose heartbeat was seen unmoved for longer than the failover time", () => {
    const view = new FleetView();
    look(view, 0, member({}), 0);
    look(view, 0, member({}), FAILOVER_MILLIS);
    expect(view.silentMembers(FAILOVER_MILLIS)).toEqual(new Set());
    look(view, 0, member({}), FAILOVER_MILLIS + 1);
    expect(view.silentMembers(FAILOVER_MILLIS)).toEqual(new Set(["ann"]));
    look(view, 0, member({ heartbeat: 2 }), FAILOVER_MILLIS + 2);
    expect(view.silentMembers(FAILOVER_MILLIS)).toEqual(new Set());
  });

  it("are not told from the dead entry that a living namesake left on another page", () => {
    const view = new FleetView();
    const dead = member({ state: "dead" });
    look(view, 0, dead, 0);
    look(view, 0, dead, 3 * FAILOVER_MILLIS);
    look(view, 1, member({ incarnation: "second" }), 3 * FAILOVER_MILLIS);
    expect(view.members().map(({ incarnation }) => incarnation)).toEqual(["second"]);
    expect(view.silentMembers(FAILOVER_MILLIS)).toEqual(new Set());
  });
});
