/** The failover time that a worker publishes after blocks of its event loop. Option: 10 s. */
import { describe, expect, it } from "vitest";
import { BlockCover } from "../../../src/core/block-cover.ts";

const OPTION_MILLIS = 10_000;
const MINUTE = 60_000;

const blockedAt = (...blocks: readonly (readonly [atMillis: number, millis: number])[]): BlockCover => {
  const cover = new BlockCover(OPTION_MILLIS);
  for (const [atMillis, millis] of blocks) cover.blocked(millis, atMillis);
  return cover;
};

describe("the published failover time", () => {
  it("is the option where nothing, or less than a third, was blocked", () => {
    expect(blockedAt().publishedMillis(0)).toBe(OPTION_MILLIS);
    expect(blockedAt([0, 3_300]).publishedMillis(0)).toBe(OPTION_MILLIS);
  });

  it("covers the heartbeat before a block and a block of twice the length", () => {
    expect(blockedAt([0, 3_400]).publishedMillis(0)).toBe(16_800);
    expect(blockedAt([0, 12_000]).publishedMillis(0)).toBe(34_000);
  });

  it("covers a block that lasts while it is asked", () => {
    expect(blockedAt().publishedMillis(0, 12_000)).toBe(34_000);
  });

  it("is at most ten times the option", () => {
    expect(blockedAt([0, 3_600_000]).publishedMillis(0)).toBe(100_000);
  });

  it("covers the longest, not the last", () => {
    expect(blockedAt([0, 12_000], [1_000, 4_000]).publishedMillis(1_000)).toBeGreaterThan(33_000);
  });

  it("still covers the same block once more a half-life later, and is the option again after two", () => {
    const short = blockedAt([0, 4_000]);
    expect(short.publishedMillis(15_000)).toBeGreaterThan(16_000);
    expect(short.publishedMillis(MINUTE)).toBe(OPTION_MILLIS);
    const long = blockedAt([0, 12_000]);
    expect(long.publishedMillis(2 * MINUTE)).toBe(22_000);
    expect(long.publishedMillis(4 * MINUTE)).toBe(OPTION_MILLIS);
  });

  it("remembers blocks that come back for as long as they take", () => {
    const every = 5 * MINUTE;
    const cover = blockedAt([0, 12_000], [every, 12_000]);
    expect(cover.publishedMillis(2 * every)).toBeGreaterThanOrEqual(OPTION_MILLIS + 12_000);
    cover.blocked(12_000, 2 * every);
    expect(cover.publishedMillis(3 * every)).toBeGreaterThanOrEqual(OPTION_MILLIS + 12_000);
  });

  it("bounds what is believed of others only after a block that could cost a worker its place", () => {
    expect(blockedAt([0, 4_000]).leastJudgedMillis(0)).toBe(0);
    expect(blockedAt([0, 12_000]).leastJudgedMillis(0)).toBe(34_000);
    expect(blockedAt([0, 12_000]).leastJudgedMillis(4 * MINUTE)).toBe(0);
  });
});
