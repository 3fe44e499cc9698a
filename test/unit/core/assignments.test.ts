import { describe, expect, it } from "vitest";
import { changedRows, isAsAssigned, MAX_ASSIGNMENTS, publishedSize } from "../../../src/core/assignments.ts";
import { decide } from "../../../src/core/decide.ts";
import type { HeldLeaseFacts } from "../../../src/core/facts.ts";
import { leadersAmong, leadingRow } from "../../../src/core/leaders.ts";
import type { Assignment, FleetRow } from "../../../src/core/member.ts";
import { untakenKey } from "../../../src/core/untaken.ts";
import { factsOf, member, row } from "./rows.ts";

const fleetRow = (number: number, ids: readonly string[], rest: Partial<FleetRow> = {}): FleetRow => ({
  number: number,
  version: 0,
  shardSyncRequests: 0,
  members: ids.map((id) => member(id)),
  ...rest,
});

describe("a leader assigns", () => {
  const members = [member("a"), member("b"), member("c")];

  it("who holds too many is to hand over, and who has too few is to claim what is free", () => {
    const rows = [
      row("s1", { owner: "b", counter: 3 }),
      row("s2", { owner: "b", counter: 4 }),
      row("s3", { owner: "a", counter: 5 }),
      row("s4", { owner: "gone", counter: 6 }),
    ];
    const facts = factsOf("a", { members, rows, expiredLeases: new Set(["s4"]) });
    const { assignments, claim, handOver } = decide(facts);
    expect(assignments).toEqual([{ leaseKey: "s4", worker: "c", to: "c", counter: 6, owner: "gone" }]);
    expect([claim, handOver]).toEqual([[], []]);
    const lopsided = decide(factsOf("a", { members, rows: rows.slice(0, 3) }));
    expect(lopsided.assignments).toEqual([{ leaseKey: "s1", worker: "b", to: "c" }]);
  });

  it("whoever has not taken up a lease takes it first, wherever it is to go", () => {
    const rows = [
      row("s1", { owner: "b", counter: 3, isPending: true }),
      row("s2", { owner: "b", counter: 4 }),
      row("s3", { owner: "a", counter: 5 }),
    ];
    const takes = { leaseKey: "s1", worker: "b", to: "b", counter: 3, owner: "b" };
    expect(decide(factsOf("a", { members, rows })).assignments).toEqual([takes]);
  });

  it("a worker that lacks leases is assigned all that the rows give it", () => {
    const rows = [
      row("s1", { owner: "b", counter: 3 }),
      row("s2", { owner: "a", counter: 4 }),
      row("s3", { owner: "c", counter: 5 }),
    ];
    const { assignments } = decide(factsOf("a", { members, rows, underfilled: new Set(["b"]) }));
    expect(assignments).toEqual([{ leaseKey: "s1", worker: "b", to: "b", counter: 3, owner: "b" }]);
  });

  it("a row is claimed only as the leader has read it", () => {
    const assignment = { leaseKey: "s1", worker: "b", to: "b", counter: 3, owner: "gone" };
    expect(isAsAssigned(row("s1", { owner: "gone", counter: 3 }), assignment)).toBe(true);
    expect(isAsAssigned(row("s1", { owner: "gone", counter: 4 }), assignment)).toBe(false);
    expect(isAsAssigned(row("s1", { owner: "c", counter: 3 }), assignment)).toBe(false);
    expect(isAsAssigned(row("s1", { counter: 3 }), assignment)).toBe(false);
  });
});

describe("the fleet rows", () => {
  const claim = (leaseKey: string, worker: string): Assignment => ({
    leaseKey,
    worker,
    to: worker,
    counter: 1,
  });

  it("are written where they differ from the plan, each with its own members' assignments", () => {
    const fleetRows = [
      fleetRow(0, ["a"]),
      fleetRow(1, ["b"], { assignments: [claim("s1", "b")] }),
      fleetRow(2, ["c"]),
    ];
    const wanted = [claim("s3", "a"), claim("s1", "b")];
    expect(changedRows(fleetRows, wanted)).toEqual([{ fleetRow: 0, assignments: [claim("s3", "a")] }]);
    expect(changedRows(fleetRows, [])).toEqual([{ fleetRow: 1, assignments: [] }]);
  });

  it("hold a bounded number, and none for the dead", () => {
    const many = Array.from({ length: 100 }, (_, index) => claim(`s${index}`, "a"));
    expect(changedRows([fleetRow(0, ["a"])], many)[0]?.assignments).toHaveLength(MAX_ASSIGNMENTS);
    const dead = fleetRow(0, [], { members: [member("a", { state: "dead" })] });
    expect(changedRows([dead], many)).toEqual([]);
  });

  it("say the fleet's size from the bound on, and until it is half of that", () => {
    const size = { workers: 10, shards: 10 };
    expect(publishedSize(undefined, size, 101)).toBeUndefined();
    expect(publishedSize(undefined, size, 100)).toEqual(size);
    expect(publishedSize(size, { workers: 5, shards: 10 }, 100)).toEqual({ workers: 5, shards: 10 });
    expect(publishedSize(size, { workers: 4, shards: 10 }, 100)).toBeUndefined();
  });
});

describe("a lease that its new owner has not taken up for too long", () => {
  const left = row("s9", { owner: "ann", isPending: true, counter: 9 });
  const rows = [left, row("s1", { owner: "bob" }), row("s2", { owner: "cid" })];
  const members = [member("ann"), member("bob"), member("cid")];
  const overdue = new Set([untakenKey(left)]);
  const passedOver = new Set(["ann"]);
  const planOf = (id: string, held?: Map<string, HeldLeaseFacts>) =>
    decide(factsOf(id, { members, rows, assigns: true, overdue, passedOver, ...(held && { held }) }));

  it("is assigned to another by the leader, also where the leader itself cannot take it", () => {
    const { assignments, untaken } = planOf("ann", new Map());
    expect(assignments).toEqual([{ leaseKey: "s9", worker: "bob", to: "bob", counter: 9, owner: "ann" }]);
    expect(untaken.map(({ taker }) => taker)).toEqual(["ann"]);
  });

  it("is claimed by the deputy, once, where that has room", () => {
    const { assignments, claim: claims } = planOf("bob");
    expect(assignments).toEqual([]);
    expect(claims.map(({ lease, reason }) => [lease.leaseKey, reason])).toEqual([["s9", "unowned"]]);
  });
});

describe("who leads", () => {
  const fleetRows = (...all: FleetRow[]) => new Map(all.map((one) => [one.number, one]));

  it("is the smallest id among the active of the first fleet row that has any", () => {
    const joining = [member("a", { state: "joining" }), member("d"), member("c")];
    expect(leadersAmong(joining)).toEqual(["c", "d"]);
    expect(leadersAmong([member("a", { state: "joining" })])).toEqual(["a"]);
    const none = fleetRow(0, [], { members: [member("a", { state: "dead" })] });
    expect(leadingRow(fleetRows(none, fleetRow(1, ["b"])), new Set(), 1)).toMatchObject({ number: 1 });
  });

  it("cannot be told before the rows below one's own are read", () => {
    const own = fleetRow(2, ["z"]);
    const empty = fleetRow(0, []);
    expect(leadingRow(fleetRows(empty, own), new Set(), 2)).toEqual({ unread: 1 });
    expect(leadingRow(fleetRows(empty, own), new Set([1]), 2)).toBe(own);
    expect(leadingRow(fleetRows(empty, fleetRow(1, ["y"]), own), new Set(), 2)).toMatchObject({
      number: 1,
    });
  });
});
