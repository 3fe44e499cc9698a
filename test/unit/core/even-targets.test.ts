import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evenTargets, type TargetWorker } from "../../../src/core/even-targets.ts";

const worker = (workerId: string, owned: number, rest: Partial<TargetWorker> = {}): TargetWorker => ({
  workerId,
  role: "active",
  maxLeases: undefined,
  steals: true,
  owned,
  ...rest,
});
const counts = (pool: number, ...workers: TargetWorker[]) => [...evenTargets(workers, pool).values()];
const total = (values: readonly number[]) => values.reduce((sum, n) => sum + n, 0);

describe("how many leases each should hold", () => {
  it("evens: 20 over three are 7/7/6, 30 over five are 6 each", () => {
    expect(counts(20, worker("a", 0), worker("b", 0), worker("c", 0))).toEqual([7, 7, 6]);
    const five = [worker("a", 10), worker("b", 10), worker("c", 10), worker("d", 0), worker("e", 0)];
    expect(counts(0, ...five)).toEqual([6, 6, 6, 6, 6]);
  });

  it("leaves the one more with whoever holds it already", () => {
    expect(counts(0, worker("a", 6), worker("b", 7), worker("c", 7))).toEqual([6, 7, 7]);
  });

  it("lets a cap below the even share spill over to the others", () => {
    expect(counts(9, worker("a", 0, { maxLeases: 1 }), worker("b", 0), worker("c", 0))).toEqual([1, 4, 4]);
  });

  it("gives no more than the caps, and takes nothing away to lie unowned", () => {
    expect(counts(9, worker("a", 0, { maxLeases: 2 }), worker("b", 0, { maxLeases: 3 }))).toEqual([2, 3]);
    expect(counts(0, worker("a", 8, { maxLeases: 2 }), worker("b", 0, { maxLeases: 3 }))).toEqual([5, 3]);
  });

  it("lets one that does not steal grow from what is free only, and takes nothing from it", () => {
    expect(counts(0, worker("a", 8, { steals: false }), worker("b", 0))).toEqual([8, 0]);
    expect(counts(2, worker("a", 0, { steals: false }), worker("b", 8))).toEqual([2, 8]);
  });

  it("does not push what is held above a cap onto one that does not steal: that one takes what is free", () => {
    const keeps = (id: string) => worker(id, 0, { steals: false });
    expect(counts(1, worker("a", 2, { maxLeases: 1 }), keeps("b"), keeps("c"))).toEqual([2, 1, 0]);
  });

  it("takes from a foreign owner where somebody steals, and gives it nothing", () => {
    const java = (owned: number) => worker("java", owned, { role: "foreign", steals: false });
    expect(counts(0, worker("a", 0), java(6))).toEqual([3, 3]);
    expect(counts(0, worker("a", 0, { steals: false }), java(6))).toEqual([0, 6]);
    expect(counts(6, worker("a", 0), java(0))).toEqual([6, 0]);
  });

  const fleets = fc
    .array(
      fc.record({
        owned: fc.nat({ max: 12 }),
        cap: fc.option(fc.nat({ max: 12 }), { nil: undefined }),
        kind: fc.constantFrom("steals", "steals", "keeps", "foreign"),
      }),
      { minLength: 1, maxLength: 8 },
    )
    .map((workers) =>
      workers.map(({ owned, cap, kind }, i) =>
        worker(`w${i}`, owned, {
          role: kind === "foreign" ? "foreign" : "active",
          steals: kind === "steals",
          maxLeases: kind === "foreign" ? undefined : cap,
        }),
      ),
    );

  it("keeps the promises, for any fleet", () => {
    fc.assert(
      fc.property(fleets, fc.nat({ max: 30 }), (workers, pool) => {
        const targets = evenTargets(workers, pool);
        const held = total(workers.map((w) => w.owned));
        const given = total([...targets.values()]);
        // No lease is invented, and no held lease is left without an owner.
        expect(given).toBeLessThanOrEqual(held + pool);
        expect(given).toBeGreaterThanOrEqual(held);
        const someoneSteals = workers.some((w) => w.role === "active" && w.steals);
        for (const w of workers) {
          const target = targets.get(w.workerId)!;
          expect(target).toBeGreaterThanOrEqual(0);
          if (w.role === "foreign") expect(target).toBeLessThanOrEqual(w.owned);
          else expect(target).toBeLessThanOrEqual(Math.max(w.maxLeases ?? Number.POSITIVE_INFINITY, w.owned));
          const pinned = w.role === "foreign" ? !someoneSteals : !w.steals;
          if (pinned) expect(target).toBeGreaterThanOrEqual(w.owned);
        }
        // Workers that do not steal grow only from the pool.
        const growth = workers
          .filter((w) => w.role === "active" && !w.steals)
          .map((w) => targets.get(w.workerId)! - w.owned);
        expect(total(growth)).toBeLessThanOrEqual(pool);
        // An active worker has room left only when no lease is left over.
        const room = workers.some(
          (w) => w.role === "active" && targets.get(w.workerId)! < (w.maxLeases ?? Number.POSITIVE_INFINITY),
        );
        if (room) expect(given).toBe(held + pool);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is settled once reached: asked again with those counts it changes nothing", () => {
    fc.assert(
      fc.property(fleets, fc.nat({ max: 30 }), (workers, pool) => {
        const targets = evenTargets(workers, pool);
        const then = workers.map((w) => ({ ...w, owned: targets.get(w.workerId)! }));
        const left = total(workers.map((w) => w.owned)) + pool - total([...targets.values()]);
        expect(evenTargets(then, left)).toEqual(targets);
      }),
      { numRuns: 2_000 },
    );
  });
});
