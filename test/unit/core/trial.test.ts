/** A worker that follows others that died young is planned with one lease until it has lived long enough. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deathsAfter, evidenceAmong, youngMillis } from "../../../src/core/trial.ts";
import { decideFor, names, ownedBy, round } from "./decide-round.ts";
import { member, row } from "./rows.ts";

/** Twenty leases of three workers. */
const rows = names("s", 20).map((key, index) => row(key, { owner: "abc"[index % 3]! }));
const old = [member("a"), member("b"), member("c")];
const settled = (start: typeof rows, members: typeof old) =>
  [1, 2, 3].reduce((now) => round(now, members), start);

describe("a worker on trial", () => {
  it("gets one lease, and its share when its trial is over", () => {
    const onTrial = settled(rows, [...old, member("d", { earlyDeaths: 1 })]);
    expect(ownedBy(onTrial).d).toBe(1);
    const shared = settled(onTrial, [...old, member("d")]);
    expect(ownedBy(shared)).toEqual({ a: 5, b: 5, c: 5, d: 5 });
    const owner = new Map(rows.map((lease) => [lease.leaseKey, lease.owner]));
    expect(shared.filter((lease) => lease.owner !== owner.get(lease.leaseKey))).toHaveLength(5);
  });

  it("that is young after no death gets its share at once", () => {
    expect(ownedBy(settled(rows, [...old, member("d", { earlyDeaths: 0 })])).d).toBe(5);
  });

  it("keeps what it holds", () => {
    const even = settled(rows, [...old, member("d")]);
    expect(settled(even, [...old, member("d", { earlyDeaths: 3 })])).toEqual(even);
  });

  it("is not counted on by the cap", () => {
    const computeCap = ({ shards, workers }: { shards: number; workers: number }) =>
      Math.ceil(shards / workers);
    const members = [...old, member("d", { earlyDeaths: 1 })];
    expect(decideFor("a", { rows, members, computeCap }).cap).toBe(7);
    expect(decideFor("a", { rows, members: [...old, member("d")], computeCap }).cap).toBe(5);
  });

  it("is told of by every worker", () => {
    const members = [...old, member("d", { earlyDeaths: 2 })];
    expect(decideFor("b", { rows, members }).onTrial.map(({ workerId }) => workerId)).toEqual(["d"]);
  });
});

describe("a trial is lifted", () => {
  it("where the others have no room: no lease stays without an owner", () => {
    const capped = old.map((one) => ({ ...one, maxLeases: 5 }));
    const free = rows.map((lease, index) => (index < 15 ? lease : { ...lease, owner: undefined }));
    const after = settled(free, [...capped, member("d", { earlyDeaths: 1, maxLeases: 5 })]);
    expect(ownedBy(after)).toEqual({ a: 5, b: 5, c: 5, d: 5 });
  });

  it("where all are on trial: a fleet that starts again is as it was", () => {
    const free = rows.map((lease) => ({ ...lease, owner: undefined }));
    const members = ["a", "b"].map((id) => member(id, { earlyDeaths: 3 }));
    const after = settled(free, members);
    expect(ownedBy(after)).toEqual({ a: 10, b: 10 });
    // The worker whose trial is over first takes nothing from the other.
    expect(settled(after, [member("a"), members[1]!])).toEqual(after);
  });

  it("so that it never leaves more unowned than would be without it", () => {
    const worker = fc.record({
      earlyDeaths: fc.option(fc.nat(4), { nil: undefined }),
      maxLeases: fc.option(fc.nat(12), { nil: undefined }),
      owns: fc.nat(8),
    });
    fc.assert(
      fc.property(fc.array(worker, { minLength: 1, maxLength: 6 }), fc.nat(20), (workers, unowned) => {
        const ids = workers.map((_, index) => `w${index}`);
        const leases = [
          ...workers.flatMap(({ owns }, index) => Array(owns).fill(ids[index])),
          ...Array(unowned),
        ];
        const some = names("s", leases.length).map((key, index) => row(key, { owner: leases[index] }));
        const membersOf = (trials: boolean) =>
          workers.map(({ earlyDeaths, maxLeases }, index) =>
            member(ids[index]!, {
              maxLeases,
              ...(trials && earlyDeaths !== undefined && { earlyDeaths }),
            }),
          );
        const spilled = (trials: boolean) =>
          decideFor("w0", { rows: some, members: membersOf(trials) }).fleet.spilled;
        expect(spilled(true)).toBeLessThanOrEqual(spilled(false));
      }),
    );
  });
});

describe("evidence", () => {
  it("is a dead entry that says its worker was young; deaths in a row add up", () => {
    const gone = [member("x", { state: "dead" }), member("y", { state: "dead", earlyDeaths: 2 })];
    expect(deathsAfter([])).toBe(0);
    expect(deathsAfter(gone.slice(0, 1))).toBe(0);
    expect(deathsAfter(gone)).toBe(3);
    expect(evidenceAmong(gone)?.workerId).toBe("y");
    expect(evidenceAmong(gone.slice(0, 1))).toBeUndefined();
  });

  it("stays in the fleet row although it owns nothing, while it is fresh", () => {
    const dead = ["x", "y"].map((id) => member(id, { state: "dead", earlyDeaths: 0 }));
    const removed = (evidence: string | undefined) =>
      decideFor("a", { rows, members: [...old, ...dead], evidence }).remove.map(({ workerId }) => workerId);
    expect(removed("x")).toEqual(["y"]);
    expect(removed(undefined)).toEqual(["x", "y"]);
  });

  it("keeps a worker on trial for two failover times, and for up to eight after more deaths", () => {
    expect([0, 1, 2, 3, 50].map((deaths) => youngMillis(deaths, 10_000))).toEqual([
      20_000, 20_000, 40_000, 80_000, 80_000,
    ]);
  });
});
