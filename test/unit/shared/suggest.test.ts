import { describe, expect, it } from "vitest";
import { closest, editDistance } from "../../../src/suggest.ts";

const COMMANDS = [
  "experiment",
  "verify-stream",
  "monitor-leases",
  "split-shards",
  "scale",
  "view-distribution",
];

describe("closest", () => {
  it.each([
    ["split", "split-shards"],
    ["moni", "monitor-leases"],
    ["leases", "monitor-leases"],
    ["sclae", "scale"],
    ["view-distributoin", "view-distribution"],
    ["SCALE", "scale"],
  ])("%s stands for %s", (typed, meant) => {
    expect(closest(typed, COMMANDS)).toBe(meant);
  });

  it.each(["", "kubernetes", "xy"])("%j stands for nothing", (typed) => {
    expect(closest(typed, COMMANDS)).toBeUndefined();
  });
});

it("two swapped letters are one mistake", () => {
  expect(editDistance("sclae", "scale")).toBe(1);
  expect(editDistance("abc", "")).toBe(3);
});
