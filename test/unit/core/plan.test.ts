import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_HASH_KEY } from "../../../src/core/hash-range.ts";
import { type Lease, sentinel, TRIM_HORIZON } from "../../../src/core/lease.ts";
import { type LeasePlan, type PlanWorker, planLeases } from "../../../src/core/plan.ts";

const lease = (leaseKey: string, owner?: string, slice?: { at: number; of: number }): Lease => ({
  leaseKey,
  owner,
  counter: 0,
  checkpoint: sentinel(TRIM_HORIZON),
  ownerSwitchesSinceCheckpoint: 0,
  parentShardIds: [],
  childShardIds: [],
  hashRange: slice && {
    start: ((MAX_HASH_KEY + 1n) * BigInt(slice.at)) / BigInt(slice.of),
    end: ((MAX_HASH_KEY + 1n) * BigInt(slice.at + 1)) / BigInt(slice.of) - 1n,
  },
  checkpointOwner: undefined,
});
const worker = (workerId: string, more: Partial<PlanWorker> = {}): PlanWorker => ({
  workerId,
  role: "active",
  maxLeases: undefined,
  steals: true,
  ...more,
});

/** A fleet given as counts: `{ a: 4, b: 4 }` plus unowned leases. */
function fleet(counts: Record<string, number>, unowned = 0): Lease[] {
  let n = 0;
  const name = () => `shardId-${String(n++).padStart(4, "0")}`;
  return [
    ...Object.entries(counts).flatMap(([owner, count]) =>
      Array.from({ length: count }, () => lease(name(), owner)),
    ),
    ...Array.from({ length: unowned }, () => lease(name())),
  ];
}

function carriedOut(leases: readonly Lease[], plan: LeasePlan): Map<string, number> {
  const owners = new Map(leases.map((l) => [l.leaseKey, l.owner]));
  for (const move of plan.moves) owners.set(move.leaseKey, move.to);
  const counts = new Map<string, number>();
  for (const owner of owners.values())
    if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return counts;
}

function countsByPair(moves: LeasePlan["moves"]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { from, to, reason } of moves) {
    const pair = `${reason === "balance" || reason === "owner-leaving" ? from : "free"} → ${to}`;
    counts[pair] = (counts[pair] ?? 0) + 1;
  }
  return counts;
}

const spread = (counts: readonly number[]) => Math.max(...counts) - Math.min(...counts);

const fleets = fc
  .record({
    workers: fc.integer({ min: 1, max: 12 }),
    owners: fc.array(fc.integer({ min: -1, max: 15 }), { maxLength: 80 }),
  })
  .map(({ workers, owners }) => ({
    workers: Array.from({ length: workers }, (_, i) => worker(`w${String(i).padStart(2, "0")}`)),
    // -1: unowned. Owners beyond the fleet are gone.
    leases: owners.map((owner, i) =>
      lease(`s${String(i).padStart(3, "0")}`, owner < 0 ? undefined : `w${String(owner).padStart(2, "0")}`, {
        at: i,
        of: owners.length,
      }),
    ),
  }));

describe("a plan", () => {
  it("is complete, balanced and moves no lease twice, from any start", () => {
    fc.assert(
      fc.property(fleets, ({ workers, leases }) => {
        const plan = planLeases(leases, workers);
        const counts = carriedOut(leases, plan);
        expect(plan.spilled).toEqual([]);
        expect([...counts.keys()].every((id) => workers.some((w) => w.workerId === id))).toBe(true);
        expect(spread(workers.map((w) => counts.get(w.workerId) ?? 0))).toBeLessThanOrEqual(1);
        expect(new Set(plan.moves.map((m) => m.leaseKey)).size).toBe(plan.moves.length);
      }),
      { numRuns: 500 },
    );
  });

  it("makes only the moves balance needs", () => {
    fc.assert(
      fc.property(fleets, ({ workers, leases }) => {
        const plan = planLeases(leases, workers);
        const owned = workers
          .map((w) => leases.filter((l) => l.owner === w.workerId).length)
          .toSorted((a, b) => b - a);
        const low = Math.floor(leases.length / workers.length);
        const high = leases.length % workers.length;
        // The largest counts keep the larger targets: a balanced result cannot take fewer leases away.
        const needed = owned.reduce((sum, n, i) => sum + Math.max(0, n - (i < high ? low + 1 : low)), 0);
        expect(plan.moves.filter((m) => m.reason === "balance").length).toBe(needed);
      }),
      { numRuns: 500 },
    );
  });

  it("is empty once carried out, and stays its own continuation when carried out in part", () => {
    fc.assert(
      fc.property(fleets, fc.infiniteStream(fc.boolean()), ({ workers, leases }, coin) => {
        const plan = planLeases(leases, workers);
        const target = new Map(plan.moves.map((m) => [m.leaseKey, m.to]));
        const done = new Set(plan.moves.filter(() => coin.next().value).map((m) => m.leaseKey));
        const partly = leases.map((l) =>
          done.has(l.leaseKey) ? { ...l, owner: target.get(l.leaseKey) } : l,
        );
        const rest = planLeases(partly, workers);
        expect(rest.moves.length).toBe(plan.moves.length - done.size);
        // A worker that reads a half-done plan assigns as many to each worker as all others think it does.
        const planned = plan.moves.filter((m) => !done.has(m.leaseKey));
        expect(countsByPair(rest.moves)).toEqual(countsByPair(planned));
        const wholly = leases.map((l) =>
          target.has(l.leaseKey) ? { ...l, owner: target.get(l.leaseKey) } : l,
        );
        expect(planLeases(wholly, workers).moves).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("does not depend on the order of the rows", () => {
    fc.assert(
      fc.property(fleets, fc.integer(), ({ workers, leases }, seed) => {
        const shuffled = leases.toSorted(
          (a, b) =>
            ((a.leaseKey.charCodeAt(3) * 31 + seed) % 7) - ((b.leaseKey.charCodeAt(3) * 31 + seed) % 7),
        );
        expect(planLeases(shuffled, workers.toReversed())).toEqual(planLeases(leases, workers));
      }),
    );
  });

  it("gives nobody a lease above its cap, and spills only what nobody holds", () => {
    fc.assert(
      fc.property(
        fleets,
        fc.array(fc.option(fc.integer({ min: 0, max: 9 })), { minLength: 12, maxLength: 12 }),
        (f, caps) => {
          const workers = f.workers.map((w, i) => ({ ...w, maxLeases: caps[i] ?? undefined }));
          const plan = planLeases(f.leases, workers);
          const counts = carriedOut(f.leases, plan);
          for (const w of workers) {
            const received = plan.moves.some((m) => m.to === w.workerId);
            if (received)
              expect(counts.get(w.workerId)).toBeLessThanOrEqual(w.maxLeases ?? Number.POSITIVE_INFINITY);
          }
          const room = workers.reduce(
            (sum, w) => sum + Math.max(0, (w.maxLeases ?? 1e9) - (counts.get(w.workerId) ?? 0)),
            0,
          );
          if (plan.spilled.length > 0) expect(room).toBe(0);
          const held = new Set(workers.map((w) => w.workerId));
          for (const key of plan.spilled)
            expect(held.has(f.leases.find((l) => l.leaseKey === key)!.owner ?? "")).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("never leaves a newcomer idle: 4/4/4/4 and a joiner", () => {
    const leases = fleet({ a: 4, b: 4, c: 4, d: 4 });
    const plan = planLeases(
      leases,
      ["a", "b", "c", "d", "e"].map((id) => worker(id)),
    );
    expect(plan.moves.length).toBe(3);
    expect(plan.moves.every((m) => m.to === "e")).toBe(true);
  });

  it("goes from 10/10/10 to five times 6 in exactly 12 moves", () => {
    const plan = planLeases(
      fleet({ a: 10, b: 10, c: 10 }),
      ["a", "b", "c", "d", "e"].map((id) => worker(id, { maxLeases: 6 })),
    );
    expect(plan.moves.length).toBe(12);
    expect([...plan.targets.values()]).toEqual([6, 6, 6, 6, 6]);
  });

  it("evens the width of the key space at no extra move: ten wide and twenty narrow shards", () => {
    // As the experiment leaves them: every worker reads some shards that were split and some that were not.
    const wide = Array.from({ length: 10 }, (_, i) => lease(`a${i}`, `w${1 + (i % 3)}`, { at: i, of: 20 }));
    const narrow = Array.from({ length: 20 }, (_, i) =>
      lease(`b${String(i).padStart(2, "0")}`, `w${3 - (i % 3)}`, { at: 20 + i, of: 40 }),
    );
    const leases = [...wide, ...narrow];
    const plan = planLeases(
      leases,
      ["w1", "w2", "w3", "w4", "w5"].map((id) => worker(id)),
    );
    expect(plan.moves.length).toBe(12);
    const fortieths = (id: string) =>
      leases
        .filter((l) => (plan.moves.find((m) => m.leaseKey === l.leaseKey)?.to ?? l.owner) === id)
        .reduce((sum, l) => sum + (wide.includes(l) ? 2 : 1), 0);
    // The donors end even; the recipients end within one wide shard of each other.
    expect(["w1", "w2", "w3"].map(fortieths)).toEqual([8, 8, 8]);
    expect(spread([fortieths("w4"), fortieths("w5")])).toBeLessThanOrEqual(2);
  });

  it("makes no extra move while caps are published one after another and joiners come one after another", () => {
    const leases = fleet({ a: 7, b: 7, c: 6 });
    const caps: Record<string, number> = { a: 4, b: 4, c: 7, d: 4 };
    const first = planLeases(
      leases,
      ["a", "b", "c", "d"].map((id) => worker(id, { maxLeases: caps[id] })),
    );
    const moved = leases.map((l) => ({
      ...l,
      owner: first.moves.find((m) => m.leaseKey === l.leaseKey)?.to ?? l.owner,
    }));
    const second = planLeases(
      moved,
      ["a", "b", "c", "d", "e"].map((id) => worker(id, { maxLeases: 4 })),
    );
    expect(first.moves.length + second.moves.length).toBe(8);
  });

  it("gives a leaving worker's leases away and gives it none", () => {
    const plan = planLeases(fleet({ a: 4, b: 4, c: 4 }), [
      worker("a"),
      worker("b"),
      worker("c", { role: "leaving" }),
    ]);
    expect(plan.moves.map((m) => m.reason)).toEqual(Array(4).fill("owner-leaving"));
    expect([...plan.targets.entries()]).toEqual([
      ["a", 6],
      ["b", 6],
    ]);
  });

  it("keeps leases above a cap that nobody else has room for", () => {
    const plan = planLeases(fleet({ a: 8 }), [worker("a", { maxLeases: 2 }), worker("b", { maxLeases: 3 })]);
    expect(plan.moves.length).toBe(3);
    expect(plan.spilled).toEqual([]);
  });

  it("leaves the leases of those who do not steal alone, and still claims what is free", () => {
    const quiet = planLeases(fleet({ a: 6 }, 1), [
      worker("a", { steals: false }),
      worker("b", { steals: false }),
    ]);
    expect(quiet.moves).toEqual([{ leaseKey: "shardId-0006", from: undefined, to: "b", reason: "unowned" }]);
  });

  it("takes from a foreign owner when it may steal, and gives it nothing", () => {
    const plan = planLeases(fleet({ java: 6 }, 1), [worker("java", { role: "foreign" }), worker("a")]);
    expect(plan.moves.filter((m) => m.to === "java")).toEqual([]);
    expect([...carriedOut(fleet({ java: 6 }, 1), plan).values()].toSorted()).toEqual([3, 4]);
  });
});
