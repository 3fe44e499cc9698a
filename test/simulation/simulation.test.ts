/** The engine under simulation: fixed seeds, the seeds that once failed, and determinism. */
import { describe, expect, it } from "vitest";
import { complaint } from "./checkers/judge.ts";
import { startEngine } from "./engine.ts";
import type { FaultKind } from "./faults/plan.ts";
import { PLAIN_HANDLER } from "./handler-profile.ts";
import regressions from "./regressions.json" with { type: "json" };
import { runSeed } from "./run.ts";
import { type Draws, drawSwarm } from "./swarm.ts";

const FIXED_SEEDS = Array.from({ length: 150 }, (_, index) => index + 1);

interface Run {
  readonly seed: number;
  readonly draws: number;
  readonly only?: string;
}

async function failures(runs: readonly Run[]): Promise<string[]> {
  const found: string[] = [];
  for (const { seed, draws, only } of runs) {
    const options = { draws: draws as Draws, only: only as FaultKind | undefined };
    const complained = complaint(await runSeed(seed, { startEngine, ...options }));
    if (complained === undefined) continue;
    const alone = only === undefined ? "" : ` --only ${only}`;
    found.push(`npm run simulate -- --seed ${seed} --draws ${draws}${alone} --verbose: ${complained}`);
  }
  return found;
}

describe("simulation", () => {
  it("holds every law in 150 fixed seeds", { timeout: 240_000 }, async () => {
    // Half of them with every kind of fault, which take longer.
    const draws = (seed: number) => (seed % 2 === 0 ? 3 : 2);
    expect(await failures(FIXED_SEEDS.map((seed) => ({ seed, draws: draws(seed) })))).toEqual([]);
  });

  it("holds every law in seeds that once failed", { timeout: 120_000 }, async () => {
    expect(await failures(regressions)).toEqual([]);
  });

  it("is deterministic: a seed run twice has one trace", { timeout: 60_000 }, async () => {
    for (const seed of [1, 7, 21, 73, 197, 781]) {
      const first = await runSeed(seed, { startEngine });
      const second = await runSeed(seed, { startEngine });
      expect(second.traceHash, `seed ${seed}`).toBe(first.traceHash);
      expect(second.steps).toBe(first.steps);
    }
  });

  it("draws later options without moving earlier ones", () => {
    for (const { seed } of regressions) {
      const [first, second, third] = [drawSwarm(seed, 1), drawSwarm(seed, 2), drawSwarm(seed, 3)];
      if (third.faults.kinds.length === 0) expect(third).toEqual(second);
      const { workers, shards, leaseRenewal, ...others } = first;
      for (const name of Object.keys(PLAIN_HANDLER)) delete (others as Record<string, unknown>)[name];
      expect(second).toMatchObject(others);
      expect(first).toMatchObject(PLAIN_HANDLER);
      expect(workers <= second.workers && shards <= second.shards).toBe(true);
      expect(["lease", leaseRenewal]).toContain(second.leaseRenewal);
    }
  });

  it("draws different runs from different seeds", async () => {
    const [one, two] = [await runSeed(1, { startEngine }), await runSeed(2, { startEngine })];
    expect(one.traceHash).not.toBe(two.traceHash);
  });
});
