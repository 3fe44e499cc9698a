import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Decisions } from "../../../src/core/decide.ts";
import type { HeldLeaseFacts } from "../../../src/core/facts.ts";
import { isEnded, type Lease } from "../../../src/core/lease.ts";
import type { Member } from "../../../src/core/member.ts";
import { decideFor, names, ownedBy, round } from "./decide-round.ts";
import { at, ENDED, member, row } from "./rows.ts";

const claimed = (decisions: Decisions) =>
  decisions.claim.map(({ lease, reason }) => `${lease.leaseKey} ${reason}`);
const handed = (decisions: Decisions) =>
  decisions.handOver.map((h) => `${h.leaseKey} to ${h.to}: ${h.reason}`);

describe("starting", () => {
  it("three members share twenty free leases 7/7/6, each claiming its own part only", () => {
    const rows = names("s", 20).map((key) => row(key));
    const members = [member("a"), member("b"), member("c")];
    const parts = members.map(({ workerId }) => decideFor(workerId, { rows, members }).claim);
    expect(parts.map((part) => part.length)).toEqual([7, 7, 6]);
    expect(new Set(parts.flat().map(({ lease }) => lease.leaseKey)).size).toBe(20);
  });

  it("a joiner gets nothing, gives nothing and claims nothing before it is active", () => {
    const rows = names("s", 6).map((key) => row(key, { owner: "a" }));
    const members = [member("a"), member("b", { state: "joining" })];
    expect(decideFor("a", { rows, members }).handOver).toEqual([]);
    expect(decideFor("b", { rows: rows.map((l) => ({ ...l, owner: undefined })), members }).claim).toEqual(
      [],
    );
    const active = [member("a"), member("b")];
    expect(decideFor("a", { rows, members: active }).handOver.length).toBe(3);
  });

  it("a joiner keeps everybody looking, and counts for the cap already", () => {
    const seen: unknown[] = [];
    const members = [member("a"), member("b", { state: "joining" })];
    const computeCap = (fleet: unknown) => {
      seen.push(fleet);
      return 3;
    };
    const rows = names("s", 6).map((key) => row(key, { owner: "a" }));
    const decisions = decideFor("a", { rows, members, computeCap });
    expect([decisions.changing, decisions.cap, seen]).toEqual([true, 3, [{ shards: 6, workers: 2 }]]);
  });

  it("a restarted namesake takes up what the rows call its own", () => {
    const rows = [row("s0", { owner: "a" }), row("s1", { owner: "b" })];
    const members = [member("a"), member("b")];
    expect(claimed(decideFor("a", { rows, members, held: new Map() }))).toEqual(["s0 received"]);
  });

  it("nothing changes in a balanced fleet", () => {
    const rows = names("s", 6).map((key, i) => row(key, { owner: i % 2 ? "a" : "b" }));
    const { claim, handOver, release, stop, markDead, remove, changing } = decideFor("a", {
      rows,
      members: [member("a"), member("b")],
    });
    expect({ claim, handOver, release, stop, markDead, remove, changing }).toEqual({
      claim: [],
      handOver: [],
      release: [],
      stop: [],
      markDead: [],
      remove: [],
      changing: false,
    });
  });
});

describe("planned moves", () => {
  const rows = names("s", 4).map((key) => row(key, { owner: "a", counter: 3 }));
  const members = [member("a"), member("b")];

  it("the old owner hands over; the new one only waits", () => {
    expect(decideFor("a", { rows, members }).handOver.map((h) => h.to)).toEqual(["b", "b"]);
    expect(decideFor("b", { rows, members }).claim).toEqual([]);
  });

  it("a lease that is busy is not asked twice, and its goal is still known", () => {
    const held = new Map(rows.map((l) => [l.leaseKey, { counter: 3, phase: "busy" as const }]));
    const decisions = decideFor("a", { rows, members, held });
    expect(decisions.handOver).toEqual([]);
    expect([...decisions.targetOf.values()]).toEqual(["b", "b"]);
  });

  it("a lease whose row has moved on to somebody else is stopped at once", () => {
    const held = new Map([["s00", { counter: 3, phase: "reading" as const }]]);
    const mine = (lease: Partial<Lease>) => decideFor("a", { rows: [row("s00", lease)], members, held }).stop;
    expect(mine({ owner: "b", counter: 4 })[0]?.reason).toContain("b owns it");
    expect(mine({ owner: undefined, counter: 4 })[0]?.reason).toContain("nobody owns it");
    // The worker's own newer write is no reason.
    expect(mine({ owner: "a", counter: 4 })).toEqual([]);
    // Removed by hand and created again: the new row may name this worker again, which still believes in the
    // first row.
    for (const owner of ["a", "b", undefined])
      expect(mine({ owner, counter: 2 })).toEqual([
        { leaseKey: "s00", reason: "the lease row was set back" },
      ]);
    const gone = decideFor("a", { rows: [], members, held });
    expect(gone.stop).toEqual([{ leaseKey: "s00", reason: "the lease row is gone" }]);
  });

  it("whoever does not steal is not given leases of living members, and keeps its own", () => {
    const quiet = [member("a", { steals: false }), member("b", { steals: false })];
    expect(decideFor("a", { rows, members: quiet }).handOver).toEqual([]);
  });
});

describe("what is under way counts as done", () => {
  const members = [member("a"), member("b")];

  it("claims not yet answered: a worker asks for its share and no more", () => {
    const rows = names("s", 8).map((key) => row(key));
    const first = decideFor("a", { rows, members }).claim;
    expect(first.length).toBe(4);
    // Two of them have an answer, two have not, and b has begun with others.
    const asked = first.map(({ lease }) => lease.leaseKey);
    const now = rows.map((l) =>
      asked.slice(0, 2).includes(l.leaseKey) ? { ...l, owner: "a", counter: 1 } : l,
    );
    const held = new Map<string, HeldLeaseFacts>([
      ...asked.slice(0, 2).map((key) => [key, { counter: 1, phase: "reading" }] as const),
      ...asked.slice(2).map((key) => [key, { counter: 0, phase: "claiming" }] as const),
    ]);
    const decisions = decideFor("a", { rows: now, members, held });
    expect([decisions.claim, decisions.handOver, decisions.stop]).toEqual([[], [], []]);
  });

  it("hand-overs not yet written: nothing is given in their place", () => {
    const rows = names("s", 8).map((key) => row(key, { owner: "a" }));
    const given = decideFor("a", { rows, members }).handOver;
    expect(given.length).toBe(4);
    // One is done, which changes what a new plan would pick; three are draining.
    const [done, ...draining] = given.map((h) => h.leaseKey);
    const now = rows.map((l) => (l.leaseKey === done ? { ...l, owner: "b", counter: 1 } : l));
    const held = new Map<string, HeldLeaseFacts>(
      now
        .filter((l) => l.owner === "a")
        .map(({ leaseKey }) => [
          leaseKey,
          draining.includes(leaseKey)
            ? { counter: 0, phase: "busy", to: "b" }
            : { counter: 0, phase: "reading" },
        ]),
    );
    const decisions = decideFor("a", { rows: now, members, held });
    expect(decisions.handOver).toEqual([]);
    expect([...decisions.targetOf].toSorted()).toEqual(draining.map((key) => [key, "b"]).toSorted());
  });

  it("but not a hand-over to somebody who has begun to leave: the plan finds another", () => {
    const rows = [row("s0", { owner: "a" })];
    const held = new Map<string, HeldLeaseFacts>([["s0", { counter: 0, phase: "busy", to: "b" }]]);
    const target = (b: Member["state"], c: Member["state"]) =>
      decideFor("a", {
        rows,
        members: [member("a", { state: "leaving" }), member("b", { state: b }), member("c", { state: c })],
        held,
      }).targetOf.get("s0");
    expect(target("active", "active")).toBe("b");
    expect(target("leaving", "active")).toBe("c");
    expect(target("dead", "active")).toBe("c");
    expect(target("leaving", "leaving")).toBeUndefined();
  });

  it("joiners are planned with before they are active, and given to when they are", () => {
    const rows = names("s", 12).map((key) => row(key, { owner: "a" }));
    const both = [member("a"), member("d"), member("e", { state: "joining" })];
    // Four for d at once. The four for e stay until e can read them.
    const decisions = decideFor("a", { rows, members: both });
    expect(decisions.handOver.map((h) => h.to)).toEqual(["d", "d", "d", "d"]);
    expect([...decisions.targetOf.values()]).toEqual(["d", "d", "d", "d"]);
    const free = rows.map((l) => ({ ...l, owner: undefined }));
    expect(decideFor("d", { rows: free, members: both }).claim.length).toBe(4);
  });
});

describe("a silent member", () => {
  const rows = names("s", 4).map((key, i) => row(key, { owner: i < 2 ? "a" : "b" }));

  it("is declared dead first; its leases are planned without it only when the rows say so", () => {
    const members = [member("a"), member("b")];
    const before = decideFor("a", { rows, members, expiredMembers: new Set(["b"]) });
    expect(before.markDead.map((m) => m.workerId)).toEqual(["b"]);
    expect([before.claim, before.changing]).toEqual([[], true]);
    const after = decideFor("a", { rows, members: [member("a"), member("b", { state: "dead" })] });
    expect(claimed(after)).toEqual(["s02 owner-gone", "s03 owner-gone"]);
    expect(after.markDead).toEqual([]);
  });

  it("is never oneself: whoever can look is alive", () => {
    const members = [member("a"), member("b")];
    expect(decideFor("a", { rows, members, expiredMembers: new Set(["a"]) }).markDead).toEqual([]);
  });

  it("every watcher says so, the leader or not: a dead leader needs no other leader", () => {
    const members = [member("a"), member("b"), member("c")];
    const expiredMembers = new Set(["a"]);
    for (const watcher of ["b", "c"]) {
      const decisions = decideFor(watcher, { rows, members, expiredMembers });
      expect(decisions.markDead.map((m) => m.workerId)).toEqual(["a"]);
    }
  });

  it("is buried by the leader alone, and only when no unfinished lease names it", () => {
    const members = [member("a"), member("b"), member("z", { state: "dead" })];
    const named = (lease: Partial<Lease>) => [...rows, row("s9", lease)];
    const removed = (who: string, leases: readonly Lease[]) =>
      decideFor(who, { rows: leases, members }).remove.map((m) => m.workerId);
    expect(removed("a", named({ owner: "z" }))).toEqual([]);
    expect(removed("a", named({ owner: "a", checkpointOwner: "z" }))).toEqual([]);
    expect(removed("a", named({ owner: "z", ...ENDED }))).toEqual(["z"]);
    expect(removed("a", rows)).toEqual(["z"]);
    expect(removed("b", rows)).toEqual([]);
  });

  it("does not lead: the smallest active id does, and a joiner only among joiners", () => {
    const leader = (...members: Member[]) =>
      members.filter((m) => m.state !== "dead").find((m) => decideFor(m.workerId, { rows, members }).leads)
        ?.workerId;
    expect(leader(member("b"), member("a"), member("c"))).toBe("a");
    expect(leader(member("a", { state: "dead" }), member("b"), member("c"))).toBe("b");
    expect(leader(member("a", { state: "joining" }), member("b"))).toBe("b");
    expect(leader(member("a", { state: "joining" }), member("b", { state: "joining" }))).toBe("a");
  });
});

describe("leaving", () => {
  const rows = names("s", 6).map((key) => row(key, { owner: "a" }));

  it("gives everything away, and gets nothing", () => {
    const members = [member("a", { state: "leaving" }), member("b"), member("c")];
    const decisions = decideFor("a", { rows: [...rows, row("free")], members });
    expect(decisions.handOver.length).toBe(6);
    expect(decisions.handOver.every((h) => h.reason === "owner-leaving")).toBe(true);
    expect(claimed(decisions)).toEqual([]);
  });

  it("keeps what nobody has room for until it may release it", () => {
    const members = [member("a", { state: "leaving" }), member("b", { maxLeases: 4 })];
    expect(decideFor("a", { rows, members }).release).toEqual([]);
    const late = decideFor("a", { rows, members, mayRelease: true });
    expect([late.handOver.length, late.release.length]).toEqual([4, 2]);
    const overlap = late.release.filter((r) => late.handOver.some((h) => h.leaseKey === r.leaseKey));
    expect(overlap).toEqual([]);
  });

  it("the last worker releases everything", () => {
    const members = [member("a", { state: "leaving" })];
    expect(decideFor("a", { rows, members, mayRelease: true }).release.length).toBe(6);
  });

  it("what was handed to a leaver before it was known to leave, it takes up and gives on", () => {
    const members = [member("a", { state: "leaving" }), member("b")];
    const decisions = decideFor("a", { rows, members, held: new Map() });
    expect(decisions.claim.length).toBe(6);
    expect(decisions.claim.every(({ reason }) => reason === "received")).toBe(true);
  });

  it("counts no more for the cap", () => {
    const members = [member("a", { state: "leaving" }), member("b")];
    const computeCap = ({ workers }: { workers: number }) => workers;
    expect(decideFor("b", { rows, members, computeCap }).cap).toBe(1);
  });
});

describe("reshards under the cap", () => {
  // Twenty parents half split: 20 draining parents, 20 blocked children, 10 others; three workers, cap 10
  // each.
  const parents = names("p", 20).map((key, i) =>
    row(key, { owner: ["a", "b", "c"][i % 3]!, checkpoint: at("5") }),
  );
  const children = parents.flatMap(({ leaseKey }) =>
    ["x", "y"].map((half) => row(`child-${leaseKey}${half}`, { parentShardIds: [leaseKey] })),
  );
  const others = names("o", 10).map((key, i) => row(key, { owner: ["a", "b", "c"][i % 3]! }));
  const members = ["a", "b", "c"].map((id) => member(id, { maxLeases: 10 }));

  it("blocked children are no load and are not claimed: parents go first", () => {
    const rows = [...parents, ...others, ...children];
    for (const { workerId } of members) {
      const decisions = decideFor(workerId, { rows, members });
      expect(decisions.claim.filter(({ lease }) => lease.parentShardIds.length > 0)).toEqual([]);
      expect(decisions.fleet).toMatchObject({ runnable: 30, blocked: 40, spilled: 0 });
    }
  });

  it("no deadlock: unowned parents are claimed although there are more leases than slots", () => {
    let rows: Lease[] = [...parents.map((p) => ({ ...p, owner: undefined })), ...others, ...children];
    rows = round(rows, members);
    expect(ownedBy(rows)).toEqual({ a: 10, b: 10, c: 10 });
  });

  it("every shard is read in the end, whichever parent ends next, and nobody is ever above its cap", () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (pick) => {
        // Room for exactly the 50 leaves; at first 40 of them are blocked, two behind each parent.
        const fleet = names("w", 5).map((id) => member(id, { maxLeases: 10 }));
        let rows: Lease[] = [...parents, ...others, ...children].map((l) => ({ ...l, owner: undefined }));
        for (let step = 0; step < 60; step++) {
          rows = round(rows, fleet);
          const counts = ownedBy(rows);
          expect(Math.max(...fleet.map((m) => counts[m.workerId] ?? 0))).toBeLessThanOrEqual(10);
          const draining = rows.filter(
            (l) => l.leaseKey.startsWith("p") && !isEnded(l) && l.owner !== undefined,
          );
          if (draining.length === 0) break;
          const ends = draining[pick.next().value % draining.length]!;
          rows = rows.map((l) =>
            l === ends ? { ...l, ...ENDED, owner: undefined, counter: l.counter + 1 } : l,
          );
        }
        rows = round(rows, fleet);
        expect(ownedBy(rows)).toEqual({ w00: 10, w01: 10, w02: 10, w03: 10, w04: 10 });
        expect(rows.filter((l) => !isEnded(l) && l.owner === undefined)).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it("the child of a merge is claimed after both parents, whichever ends first", () => {
    const merged = row("m", { parentShardIds: ["l", "r"] });
    const one = [member("a")];
    const open: Partial<Lease> = { owner: "a", checkpoint: at("1") };
    const claims = (left: Partial<Lease>, right: Partial<Lease>) =>
      claimed(decideFor("a", { rows: [row("l", left), row("r", right), merged], members: one }));
    expect(claims(ENDED, open)).toEqual([]);
    expect(claims(open, ENDED)).toEqual([]);
    expect(claims(ENDED, ENDED)).toEqual(["m unowned"]);
  });

  it("says how many leases the caps leave no room for", () => {
    const rows = names("s", 20).map((key) => row(key));
    const capped = ["a", "b", "c"].map((id) => member(id, { maxLeases: 6 }));
    const { fleet } = decideFor("a", { rows, members: capped });
    expect(fleet).toMatchObject({ unowned: 20, spilled: 2 });
    const after = round(rows, capped);
    expect(decideFor("a", { rows: after, members: capped }).fleet).toMatchObject({ unowned: 2, spilled: 2 });
  });
});

describe("hand-overs told to people", () => {
  it("carry where to and why", () => {
    const rows = [row("s0", { owner: "a" }), row("s1", { owner: "a" })];
    expect(handed(decideFor("a", { rows, members: [member("a"), member("b")] }))).toEqual([
      expect.stringMatching(/^s[01] to b: balance$/),
    ]);
  });
});

describe("a cap that is not published yet", () => {
  const rows = ["s1", "s2", "s3"].map((key) => row(key));
  const members = [member("a")];

  it("is published first: nothing is taken under another cap than the one the others plan with", () => {
    const before = decideFor("a", { rows, members, computeCap: () => 2 });
    expect(before.cap).toBe(2);
    expect(before.claim).toEqual([]);
    const after = decideFor("a", { rows, members: [member("a", { maxLeases: 2 })], computeCap: () => 2 });
    expect(after.claim.length).toBe(2);
    expect(after.fleet.spilled).toBe(1);
  });
});
