import { describe, expect, it } from "vitest";
import { shortCause } from "../../../lab/aws/workflow.ts";
import { atLeast, findingLines } from "../../../lab/cli/commands/doctor.ts";
import { seriesLines } from "../../../lab/cli/commands/metrics.ts";
import { consumerLines } from "../../../lab/cli/commands/up.ts";
import { verifyStream } from "../../../lab/cli/commands/verify-stream.ts";
import { distributionLines } from "../../../lab/cli/commands/view-distribution.ts";
import { plainValue } from "../../../lab/fleet/lease-export.ts";
import { fleetState } from "../../../lab/fleet/state.ts";
import { FULL_RANGE, type HashRange, MAX_HASH_KEY } from "../../../src/core/hash-range.ts";

const shard = (shardId: string, range: HashRange, open = true, parents: string[] = []) => ({
  shardId,
  range,
  open,
  parents,
});

describe("verify-stream", () => {
  const low = { start: 0n, end: 9n };
  const high = { start: 10n, end: MAX_HASH_KEY };

  it("is ok when the open shards cover the key space, whatever is closed", () => {
    const shards = [
      shard("p", FULL_RANGE, false),
      shard("a", low, true, ["p"]),
      shard("b", high, true, ["p"]),
    ];
    expect(verifyStream("ACTIVE", shards)).toEqual({
      ok: true,
      status: "ACTIVE",
      open: 2,
      closed: 1,
      splitParents: 1,
      uncovered: [],
    });
  });

  it("names the hole that a closed shard's range leaves", () => {
    const verdict = verifyStream("ACTIVE", [shard("a", low, false), shard("b", high)]);
    expect(verdict).toMatchObject({ ok: false, uncovered: ["0-9"] });
  });

  it("is not ok while the stream is updating", () => {
    expect(verifyStream("UPDATING", [shard("a", FULL_RANGE)]).ok).toBe(false);
  });
});

it("rows come out as plain JSON; numbers that JSON cannot carry stay text", () => {
  expect(
    plainValue({ M: { a: { N: "12" }, b: { SS: ["y", "x"] }, c: { BOOL: true }, d: { NULL: true } } }),
  ).toEqual({
    a: 12,
    b: ["x", "y"],
    c: true,
    d: null,
  });
  expect(plainValue({ N: "340282366920938463463374607431768211455" })).toBe(
    "340282366920938463463374607431768211455",
  );
  expect(plainValue({ L: [{ S: "x" }, { B: new Uint8Array([1, 2]) }] })).toEqual(["x", "AQI="]);
});

describe("the cause of a failed execution", () => {
  it.each([
    ['{"errorMessage":"no room\\nstack","errorType":"X"}', "no room"],
    ["plain words\nand more", "plain words"],
    [undefined, ""],
  ])("%j is %j", (cause, text) => expect(shortCause(cause)).toBe(text));
});

it("doctor compares versions by number, and says what to do only where something is missing", () => {
  expect([atLeast("20.19", [20, 19]), atLeast("20.9", [20, 19]), atLeast("22.0", [20, 19])]).toEqual([
    true,
    false,
    true,
  ]);
  const finding = { what: "Python", detail: "3.9", remedy: "install it" };
  expect(findingLines([{ ...finding, state: "missing" }], false)).toEqual([
    "MISSING  Python: 3.9",
    "         install it",
  ]);
  expect(findingLines([{ ...finding, state: "ok" }], false)).toEqual(["ok       Python: 3.9"]);
});

it("metrics show one row a series, without the empty ones", () => {
  const point = { t: 0, sum: 3, average: 1.5, max: 2 };
  const series = [
    { dimensions: { ShardId: "s1" }, unit: "Count", points: [point, { ...point, sum: 4, average: 4 }] },
    { dimensions: { ShardId: "s2" }, unit: "Count", points: [] },
  ];
  expect(seriesLines("Records", series, 15)).toEqual([
    "Records, last 15 min  sum  max  last average",
    "s1                      7    2             4",
  ]);
  expect(seriesLines("Records", [], 15)).toEqual(["Records: nothing in the last 15 minutes"]);
});

it("view-distribution says how to begin when there is nothing", () => {
  const state = fleetState({ t: 0, leases: [], corrupt: [], fleetRows: [] });
  expect(distributionLines(state, false)[0]).toContain("npx evenkeel consumer");
});

describe("up", () => {
  it("says how many consumers there are only where it is not what was asked for", () => {
    expect(consumerLines(3, 3)).toEqual([]);
    expect(consumerLines(5, 3)).toEqual([
      "it has 5 consumers, as before: --pods is for the first deployment; npx evenkeel scale 3",
    ]);
    expect(consumerLines(undefined, 3)).toEqual([expect.stringMatching(/^it has no ECS.*consumer --pod 1/)]);
  });
});
