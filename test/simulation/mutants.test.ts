/**
 * The checkers find an engine that is broken on purpose. Each mutant runs with the seed that is known to
 * reveal it. If a change of the engine or the simulator has moved that, the first `HUNTED` seeds follow.
 * `npm run simulate -- --mutation NAME` lists every seed that reveals it.
 */
import { describe, expect, it } from "vitest";
import { complaint } from "./checkers/judge.ts";
import { startEngine } from "./engine.ts";
import { MUTATIONS, type Mutation } from "./mutation.ts";
import { runSeed } from "./run.ts";

const HUNTED = 200;

interface Expected {
  readonly law: RegExp;
  /** Reveals the mutant, and fast. */
  readonly seed: number;
}

const EXPECTED: Readonly<Record<string, Expected>> = {
  "unfenced-checkpoint": { law: /^L[12]/, seed: 10 },
  "child-before-parent": { law: /^L[34]/, seed: 5 },
  "wall-clock-expiry": { law: /^L[19]/, seed: 93 },
  "floor-in-the-cap": { law: /^L5/, seed: 1 },
  "hand-over-before-checkpoint": { law: /^L[24]/, seed: 14 },
  "latest-anew": { law: /^L[45]/, seed: 3 },
  "passes-over-under-stop": { law: /^L2/, seed: 17 },
  "drops-dead-letters": { law: /^L2/, seed: 56 },
  "gives-up-whole-batches": { law: /^L2/, seed: 6 },
  "checkpoints-unasked": { law: /^L2/, seed: 26 },
  "tells-before-it-writes": { law: /^L2/, seed: 5 },
  "no-time-limit": { law: /^L5/, seed: 91 },
  "observation-ignores-gaps": { law: /^L9/, seed: 10 },
  "judges-by-its-own-failover": { law: /^L[19]/, seed: 13 },
  "believes-an-empty-listing": { law: /^L4/, seed: 22 },
  "denied-is-a-refused-position": { law: /^L[24]/, seed: 17 },
  "forgets-writes-in-doubt": { law: /^L4/, seed: 6 },
  "latest-later": { law: /^L[45]/, seed: 3 },
  "ends-on-an-empty-answer": { law: /^L2/, seed: 1 },
  "gives-up-under-an-outage": { law: /^L2/, seed: 3 },
  "publishes-its-option": { law: /^L9/, seed: 3 },
  "ignores-published-times": { law: /^L1/, seed: 3 },
  "does-not-fit-batches": { law: /^L12/, seed: 9 },
  "trials-never-end": { law: /^L5/, seed: 1 },
  "assigns-nothing": { law: /^L[158]/, seed: 16 },
  "ignores-underfilled": { law: /^L[58]/, seed: 8 },
  "reads-orphans": { law: /^L[34]/, seed: 1305091 },
  "says-nothing": { law: /^L10/, seed: 17 },
};

/** The seed that reveals the mutant. The known one is tried first. */
async function hunt(mutation: Mutation, { law, seed: known }: Expected): Promise<number | undefined> {
  const others = Array.from({ length: HUNTED }, (_, index) => index + 1).filter((seed) => seed !== known);
  for (const seed of [known, ...others]) {
    const complained = complaint(await runSeed(seed, { startEngine, mutation, only: mutation.only }));
    if (complained !== undefined && law.test(complained)) return seed;
  }
  return undefined;
}

describe("the checkers find an engine broken on purpose", () => {
  it("by a law and a seed that are known for each mutant", () => {
    expect(Object.keys(EXPECTED).toSorted()).toEqual(MUTATIONS.map(({ name }) => name).toSorted());
  });

  it.each(MUTATIONS.map((mutation) => [mutation.name, mutation] as const))(
    "%s",
    { timeout: 240_000 },
    async (name, mutation) => {
      expect(await hunt(mutation, EXPECTED[name]!), `not found in ${HUNTED} seeds`).toBeDefined();
    },
  );
});
