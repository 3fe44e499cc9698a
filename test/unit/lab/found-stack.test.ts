import { describe, expect, it } from "vitest";
import { type FoundStack, obstacles, teardown } from "../../../lab/experiment/found-stack.ts";

const SETTINGS = { shards: 20, pods: 3, rate: 200, keys: 400 };
const FRESH: FoundStack = {
  openShards: 20,
  closedShards: 0,
  consumers: 3,
  producers: 1,
  rate: 200,
  keys: 400,
  historyDirectory: "/history",
  consumersSeen: 3,
};

describe("may the experiment begin on the stack that is up?", () => {
  it("on one that is as the same options deployed it, its tasks still starting or not", () => {
    expect(obstacles(FRESH, SETTINGS, "/history")).toEqual([]);
    expect(obstacles({ ...FRESH, consumersSeen: 0 }, SETTINGS, "/history")).toEqual([]);
  });

  it.each<[string, Partial<FoundStack>, string[]]>([
    [
      "split",
      { openShards: 30, closedShards: 10 },
      ["open shards are 30, not 20", "it was resharded before"],
    ],
    ["split and merged back", { closedShards: 20 }, ["it was resharded before"]],
    [
      "scaled",
      { consumers: 5, consumersSeen: 5 },
      ["consumers are 5, not 3", "consumers came and went before"],
    ],
    ["one whose task was killed and replaced", { consumersSeen: 4 }, ["consumers came and went before"]],
    ["one without its producer", { producers: 0 }, ["producers are 0, not 1"]],
    ["one of another rate", { rate: 50 }, ["records a second are 50, not 200"]],
    ["one of other keys", { keys: 7 }, ["partition keys are 7, not 400"]],
  ])("not on one that was %s", (_what, differences, why) => {
    expect(obstacles({ ...FRESH, ...differences }, SETTINGS, "/history")).toEqual(why);
  });

  it.each([undefined, "/another/clone"])("not where the history goes to %s", (historyDirectory) => {
    expect(obstacles({ ...FRESH, historyDirectory }, SETTINGS, "/history")).toEqual([
      "its tasks keep no history in this clone",
    ]);
  });
});

describe("what a run takes down", () => {
  const all = { stack: true, endpoint: true };
  const stackOnly = { stack: true, endpoint: false };
  const nothing = { stack: false, endpoint: false };

  it.each([
    ["npm start", "done", all, { destroyStack: true, stopEndpoint: true }],
    [
      "npm start, interrupted: the endpoint forgets the stack",
      "interrupted",
      all,
      { destroyStack: false, stopEndpoint: true },
    ],
    ["--keep", "keep", all, { destroyStack: false, stopEndpoint: false }],
    ["on an endpoint that was up", "done", stackOnly, { destroyStack: true, stopEndpoint: false }],
    ["the same, interrupted", "interrupted", stackOnly, { destroyStack: true, stopEndpoint: false }],
    ["on a stack that was up", "done", nothing, { destroyStack: false, stopEndpoint: false }],
    [
      "the same, interrupted: it is not ours",
      "interrupted",
      nothing,
      { destroyStack: false, stopEndpoint: false },
    ],
  ] as const)("%s", (_what, ending, made, expected) => {
    expect(teardown(ending, made)).toEqual(expected);
  });
});
