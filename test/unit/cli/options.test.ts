import { describe, expect, it } from "vitest";
import { numberFor } from "../../../lab/cli/arguments.ts";
import { reshardTarget } from "../../../lab/cli/commands/split-shards.ts";
import { CommandError } from "../../../lab/errors.ts";
import { settingsFrom } from "../../../lab/experiment/options.ts";

const SEED = {
  shards: 20,
  splitTo: 30,
  pods: 3,
  scaleTo: 5,
  rate: 200,
  timeline: "fast",
  out: "out",
} as const;

function errorFrom(action: () => unknown): CommandError {
  try {
    action();
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error("expected a CommandError, and nothing was thrown");
}

describe("the experiment's options", () => {
  it("are the seed's by default, with its bounds", () => {
    expect(settingsFrom(SEED)).toMatchObject({
      ...SEED,
      maxLeasesLimit: 10,
      bounds: { convergenceMillis: 60_000 },
    });
  });

  it.each([
    ["fewer shards after the split", { splitTo: 10 }, "--split-to 10"],
    ["fewer pods after the scaling", { scaleTo: 2 }, "--scale-to 2"],
    ["a cap that leaves shards unowned at the start", { pods: 1 }, "give --pods 3 or more"],
    ["a cap that leaves shards unowned at the end", { splitTo: 60, pods: 6, scaleTo: 6, shards: 60 }, ""],
    ["… counted after the split", { splitTo: 40 }, "give --pods 4 or more"],
  ])("%s is one line with exit 2, or fine", (_, change, text) => {
    if (text === "") return expect(settingsFrom({ ...SEED, ...change })).toMatchObject(change);
    const problem = errorFrom(() => settingsFrom({ ...SEED, ...change }));
    expect(problem.exitCode).toBe(2);
    expect(problem.message).toContain(text);
    expect(problem.message).not.toContain("\n");
  });
});

describe("numbers", () => {
  const parse = numberFor("--shards", { min: 1, max: 200 });
  it("takes what fits", () => expect(parse("20")).toBe(20));
  it.each(["x", "", "0", "201", "1.5", "NaN", "Infinity", "0x"])("names the option when given %j", (text) => {
    expect(errorFrom(() => parse(text)).message).toBe(
      `--shards: ${JSON.stringify(text)} does not fit; give a whole number from 1 to 200`,
    );
  });
});

describe("split-shards", () => {
  const now = { open: 20, deployed: 20, percent: undefined, to: undefined, force: false };
  it("adds half of what was deployed", () => expect(reshardTarget(now)).toBe(30));
  it("does nothing the second time", () => expect(reshardTarget({ ...now, open: 30 })).toBe(30));
  it("counts from the present when forced", () =>
    expect(reshardTarget({ ...now, open: 30, force: true })).toBe(45));
  it("rounds up", () => expect(reshardTarget({ ...now, open: 3, deployed: 3 })).toBe(5));
  it("never merges by percent", () => expect(reshardTarget({ ...now, open: 40 })).toBe(40));
  it("goes to a number, up or down", () => expect(reshardTarget({ ...now, open: 30, to: 10 })).toBe(10));
});
