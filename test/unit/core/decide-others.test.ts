/** Leases with non-member owners. */
import { describe, expect, it } from "vitest";
import type { Decisions } from "../../../src/core/decide.ts";
import { decideFor, names } from "./decide-round.ts";
import { member, row } from "./rows.ts";

const claimed = (decisions: Decisions) =>
  decisions.claim.map(({ lease, reason }) => `${lease.leaseKey} ${reason}`);

describe("owners that are no members (Java workers, or rows left behind)", () => {
  const rows = names("s", 6).map((key) => row(key, { owner: "java" }));
  const members = [member("a"), member("b")];
  const all = new Set(rows.map((l) => l.leaseKey));

  it("are left alone until watched for a failover time, then give their share", () => {
    expect(decideFor("a", { rows, members }).claim).toEqual([]);
    const seen = [...decideFor("a", { rows, members, observedLeases: all }).claim];
    expect(seen.length).toBe(2);
    expect(seen.every(({ reason }) => reason === "balance")).toBe(true);
  });

  it("are judged by each lease's own counter: only the silent ones are free", () => {
    const expiredLeases = new Set(["s00"]);
    const claims = ["a", "b"].flatMap((id) => claimed(decideFor(id, { rows, members, expiredLeases })));
    expect(claims).toEqual(["s00 unowned"]);
  });

  it("lose everything when all of it is silent", () => {
    const claims = ["a", "b"].flatMap((id) => decideFor(id, { rows, members, expiredLeases: all }).claim);
    expect(claims.length).toBe(6);
  });

  it("keep a lease that a Java leader is having handed over: its old owner still writes it", () => {
    const moving = [row("s0", { owner: "a", checkpointOwner: "java" })];
    expect(decideFor("a", { rows: moving, members, held: new Map() }).claim).toEqual([]);
  });

  it("count as workers for the cap", () => {
    const computeCap = ({ workers }: { workers: number }) => workers;
    expect(decideFor("a", { rows, members, computeCap }).cap).toBe(3);
  });
});
