/** The engine under simulation: fixed seeds, the seeds that once failed, determinism, and the engine broken on purpose. */
import { describe, expect, it } from "vitest";
import { complaint } from "./checkers/judge.ts";
import { startEngine } from "./engine.ts";
import type { FaultKind } from "./faults/plan.ts";
import { NO_HABITS } from "./habits.ts";
import { MUTATIONS } from "./mutation.ts";
import regressions from "./regressions.json" with { type: "json" };
import { runSeed } from "./run.ts";
import { type Draws, drawSwarm } from "./swarm.ts";

const FIXED_SEEDS = Array.from({ length: 150 }, (_, index) => index + 1);
const MUTANT_SEEDS = 200;

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
      for (const name of Object.keys(NO_HABITS)) delete (others as Record<string, unknown>)[name];
      expect(second).toMatchObject(others);
      expect(first).toMatchObject(NO_HABITS);
      expect(workers <= second.workers && shards <= second.shards).toBe(true);
      expect(["lease", leaseRenewal]).toContain(second.leaseRenewal);
    }
  });

  it("draws different runs from different seeds", async () => {
    const [one, two] = [await runSeed(1, { startEngine }), await runSeed(2, { startEngine })];
    expect(one.traceHash).not.toBe(two.traceHash);
  });
});

describe("the checkers find an engine broken on purpose", () => {
  const expected: Record<string, RegExp> = {
    "unfenced-checkpoint": /^L[12]/,
    "child-before-parent": /^L[34]/,
    "wall-clock-expiry": /^L[19]/,
    "floor-in-the-cap": /^L5/,
    "hand-over-before-checkpoint": /^L[24]/,
    "latest-anew": /^L[45]/,
    "passes-over-under-stop": /^L2/,
    "drops-dead-letters": /^L2/,
    "gives-up-whole-batches": /^L2/,
    "checkpoints-unasked": /^L2/,
    "no-time-limit": /^L5/,
    "observation-ignores-gaps": /^L9/,
    "judges-by-its-own-failover": /^L[19]/,
    "believes-an-empty-listing": /^L4/,
    "denied-is-a-refused-position": /^L[24]/,
    "forgets-writes-in-doubt": /^L4/,
    "latest-later": /^L[45]/,
    "ends-on-an-empty-answer": /^L2/,
    "gives-up-under-an-outage": /^L2/,
    "publishes-its-option": /^L9/,
    "ignores-published-times": /^L1/,
    "does-not-fit-batches": /^L12/,
    "trials-never-end": /^L5/,
    "says-nothing": /^L10/,
  };
  it.each(MUTATIONS.map((mutation) => [mutation.name, mutation] as const))(
    "%s",
    { timeout: 120_000 },
    async (name, mutation) => {
      let found: string | undefined;
      for (let seed = 1; seed <= MUTANT_SEEDS && found === undefined; seed++) {
        const complained = complaint(await runSeed(seed, { startEngine, mutation, only: mutation.only }));
        if (complained !== undefined && expected[name]!.test(complained)) found = complained;
      }
      expect(found, `not found in ${MUTANT_SEEDS} seeds`).toBeDefined();
    },
  );
});
