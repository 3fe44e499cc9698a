/** C1: which decisions are performed from plans of a table that changed while it was scanned. */
import { describe, expect, it } from "vitest";
import { decide } from "../../../src/core/decide.ts";
import type { Lease } from "../../../src/core/lease.ts";
import { OutrunPlans } from "../../../src/engine/outrun-plans.ts";
import { factsOf, member, row } from "../core/rows.ts";

const plan = (rows: readonly Lease[], others: readonly string[] = ["b"]) =>
  decide(factsOf("a", { members: ["a", ...others].map((id) => member(id)), rows }));
const keysOf = (claims: readonly { readonly lease: Lease }[]) => claims.map(({ lease }) => lease.leaseKey);

describe("outrun plans", () => {
  it("have a free lease claimed that two scans give to this worker", () => {
    const plans = new OutrunPlans();
    const decisions = plan([row("s1"), row("s2")]);
    expect(keysOf(decisions.claim)).toEqual(["s1"]);
    expect(plans.add(decisions, 7).claims).toEqual([]);
    expect(plans.add(decisions, 7).claims).toEqual([]); // the same scan adds nothing
    expect(keysOf(plans.add(decisions, 8).claims)).toEqual(["s1"]);
  });

  it("remember it while a plan between them gives the lease to another", () => {
    const plans = new OutrunPlans();
    plans.add(plan([row("s1"), row("s2")]), 1);
    // When a holds a lease already, s1 goes to b.
    expect(plans.add(plan([row("s0", { owner: "a" }), row("s1")]), 2).claims).toEqual([]);
    expect(keysOf(plans.add(plan([row("s1"), row("s2")]), 3).claims)).toEqual(["s1"]);
  });

  it("begin anew with a lease whose row has moved", () => {
    const plans = new OutrunPlans();
    plans.add(plan([row("s1"), row("s2")]), 1);
    expect(plans.add(plan([row("s1", { counter: 2 }), row("s2")]), 2).claims).toEqual([]);
  });

  it("have what the rows call this worker's own taken up at once", () => {
    const own = row("s1", { owner: "a", counter: 3 });
    const decisions = decide(factsOf("a", { members: [member("a")], rows: [own], held: new Map() }));
    expect(keysOf(new OutrunPlans().add(decisions, 1).claims)).toEqual(["s1"]);
  });

  it("have a cap published that two scans in a row lead to", () => {
    const plans = new OutrunPlans();
    const withCap = (cap: number) => ({ ...plan([row("s1")]), cap });
    expect(plans.add(withCap(3), 1).isCapKnown).toBe(false);
    expect(plans.add(withCap(4), 2).isCapKnown).toBe(false);
    expect(plans.add(withCap(4), 2).isCapKnown).toBe(false); // the same scan
    expect(plans.add(withCap(4), 3).isCapKnown).toBe(true);
  });
});
