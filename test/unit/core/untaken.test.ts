import { describe, expect, it } from "vitest";
import { untakenKey } from "../../../src/core/untaken.ts";
import { decideFor } from "./decide-round.ts";
import { member, row } from "./rows.ts";

describe("leases that others do not take", () => {
  const rows = ["s1", "s2", "s3", "s4"].map((key) => row(key));
  const members = [member("a"), member("b", { state: "joining" })];

  it("a stuck joiner is no worker for the cap: the others have room for what it is not given", () => {
    const computeCap = ({ shards, workers }: { shards: number; workers: number }) => shards / workers;
    expect(decideFor("a", { rows, members, computeCap }).cap).toBe(2);
    expect(decideFor("a", { rows, members, computeCap, stuckJoiners: new Set(["b"]) }).cap).toBe(4);
  });

  it("planned for a joiner they are untaken as well: another takes them when that takes too long", () => {
    const overdue = new Set(rows.map(untakenKey));
    const { untaken, claim } = decideFor("a", { rows, members });
    const planned = untaken.filter(({ taker }) => taker === undefined).map(({ lease }) => lease.leaseKey);
    expect(planned).toHaveLength(2);
    expect(claim).toHaveLength(2);
    const late = decideFor("a", { rows, members, overdue }).claim.map(({ lease }) => lease.leaseKey);
    expect(late.toSorted()).toEqual(["s1", "s2", "s3", "s4"]);
  });

  it("a lease that changed hands since it was overdue is not taken: its new owner has its own time", () => {
    const pending = (counter: number) => [row("s1", { owner: "b", counter, isPending: true })];
    const both = [member("a"), member("b")];
    const overdue = new Set([untakenKey(pending(3)[0]!)]);
    const claimed = (counter: number) =>
      decideFor("a", { rows: pending(counter), members: both, overdue }).claim.map(({ reason }) => reason);
    expect(claimed(3)).toEqual(["untaken"]);
    expect(claimed(4)).toEqual([]);
  });
});
