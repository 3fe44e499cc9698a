/** The engine under simulation: fixed seeds, the seeds that once failed, determinism, and the engine broken on purpose. */
import { describe, expect, it } from "vitest";
import { complaint } from "./checkers/judge.ts";
import { startEngine } from "./engine.ts";
import { MUTATIONS } from "./mutation.ts";
import regressions from "./regressions.json" with { type: "json" };
import { runSeed } from "./run.ts";

const FIXED_SEEDS = Array.from({ length: 150 }, (_, index) => index + 1);
const MUTANT_SEEDS = 200;

async function failures(seeds: readonly number[]): Promise<string[]> {
  const found: string[] = [];
  for (const seed of seeds) {
    const complained = complaint(await runSeed(seed, { startEngine }));
    if (complained !== undefined) found.push(`npm run simulate -- --seed ${seed} --verbose: ${complained}`);
  }
  return found;
}

describe("simulation", () => {
  it("holds every law in 150 fixed seeds", { timeout: 120_000 }, async () => {
    expect(await failures(FIXED_SEEDS)).toEqual([]);
  });

  it("holds every law in seeds that once failed", { timeout: 120_000 }, async () => {
    expect(await failures(regressions.map(({ seed }) => seed))).toEqual([]);
  });

  it("is deterministic: a seed run twice has one trace", { timeout: 60_000 }, async () => {
    for (const seed of [1, 7, 21, 73, 197, 781]) {
      const first = await runSeed(seed, { startEngine });
      const second = await runSeed(seed, { startEngine });
      expect(second.traceHash, `seed ${seed}`).toBe(first.traceHash);
      expect(second.steps).toBe(first.steps);
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
    "wall-clock-expiry": /^L1/,
    "floor-in-the-cap": /^L5/,
    "hand-over-before-checkpoint": /^L[24]/,
  };
  it.each(MUTATIONS.map((mutation) => [mutation.name, mutation] as const))(
    "%s",
    { timeout: 120_000 },
    async (name, mutation) => {
      let found: string | undefined;
      for (let seed = 1; seed <= MUTANT_SEEDS && found === undefined; seed++) {
        const complained = complaint(await runSeed(seed, { startEngine, mutation }));
        if (complained !== undefined && expected[name]!.test(complained)) found = complained;
      }
      expect(found, `not found in ${MUTANT_SEEDS} seeds`).toBeDefined();
    },
  );
});
