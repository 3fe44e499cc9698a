/** The end of a shard must be confirmed by the listing: SHARD_END over unread records loses them for good. */
import { describe, expect, it } from "vitest";
import type { StreamErrorClass } from "../../../src/ports/stream.ts";
import { checkpointAt, SHARD_ID, shard, shardWorld, upTo } from "./shard-world.ts";

const CHILDREN = [shard("shardId-000000000001", [SHARD_ID]), shard("shardId-000000000002", [SHARD_ID])];

describe("the end of a shard", () => {
  it("that an answer claims and the listing does not is no end: reading goes on from the same place", async () => {
    const world = shardWorld({
      options: { maxRecords: 10 },
      prepare: (stream) => {
        stream.put(30);
        stream.falseEnds = 12;
      },
    });
    await world.clock.advance(60_000);
    world.stream.put(5);
    await world.clock.advance(5_000);
    expect(world.outcome).toBeUndefined();
    expect(world.indexes()).toEqual(upTo(35));
    const { lastReadError } = world.consumer.status();
    expect(lastReadError).toMatchObject({ errorClass: "malformed-answer" });
    expect(lastReadError?.message).toContain("says that shardId-000000000000 has ended");
    const warnings = world.logs.filter((line) => line.level === "warn").map((line) => line.message);
    expect(warnings[0]).toContain("reading fails (malformed-answer)");
    expect(warnings.at(-1)).toBe("reading works again");
  });

  it("is believed when the listing shows the shard closed, with the children that the answer names", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.put(3);
        stream.closed = true;
        stream.children = CHILDREN;
      },
    });
    await world.clock.advance(1_000);
    expect(world.outcome).toEqual({ kind: "ended", children: CHILDREN, checkpoint: checkpointAt(3) });
    expect(world.stream.listings).toBe(1);
  });

  it("is believed when the listing names the shard as a parent, though it does not show it closed yet", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.put(3);
        stream.closed = true;
        stream.listingLagMillis = Number.POSITIVE_INFINITY;
        stream.shards = [shard(SHARD_ID), ...CHILDREN];
      },
    });
    await world.clock.advance(1_000);
    expect(world.outcome).toEqual({ kind: "ended", children: CHILDREN, checkpoint: checkpointAt(3) });
  });

  it("waits for a listing that lags, and its records do not", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.put(3);
        stream.closed = true;
        stream.children = CHILDREN;
        stream.listingLagMillis = 20_000;
      },
    });
    await world.clock.advance(1_000);
    expect(world.indexes()).toEqual(upTo(3));
    await world.clock.advance(18_000);
    expect(world.outcome).toBeUndefined();
    await world.clock.advance(4_000);
    expect(world.outcome).toEqual({ kind: "ended", children: CHILDREN, checkpoint: checkpointAt(3) });
    expect(world.indexes()).toEqual(upTo(3));
    expect(world.stream.listings).toBeLessThan(40);
  });

  it.each<[StreamErrorClass]>([["denied"], ["throttled"], ["malformed-answer"], ["not-found"]])(
    "waits for a listing that fails (%s)",
    async (problem) => {
      const world = shardWorld({
        prepare: (stream) => {
          stream.put(3);
          stream.closed = true;
          stream.listingFaults.push(...Array<StreamErrorClass>(30).fill(problem));
        },
      });
      await world.clock.advance(10_000);
      expect(world.outcome).toBeUndefined();
      expect(world.reports.current).toHaveLength(1);
      await world.clock.advance(120_000);
      expect(world.outcome).toEqual({ kind: "ended", children: undefined, checkpoint: checkpointAt(3) });
      expect(world.reports.current).toEqual([]);
    },
  );

  it("without children, of a shard that is closed and has unread records, is no end (seed 943096)", async () => {
    const world = shardWorld({
      options: { maxRecords: 1 },
      prepare: (stream) => {
        stream.put(3);
        stream.closed = true;
        stream.shards = [shard(SHARD_ID), ...CHILDREN];
        stream.falseEnds = 1;
      },
    });
    await world.clock.advance(5_000);
    expect(world.indexes()).toEqual(upTo(3));
    expect(world.outcome).toEqual({ kind: "ended", children: CHILDREN, checkpoint: checkpointAt(3) });
  });

  it("names no child that is another shard's", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.closed = true;
        stream.children = [shard("shardId-000000000007", ["shardId-000000000005"])];
        stream.shards = [shard(SHARD_ID), ...CHILDREN];
      },
    });
    await world.clock.advance(1_000);
    expect(world.outcome).toMatchObject({ kind: "ended", children: CHILDREN });
  });

  it("of a shard that has left the listing is believed with its children, or after a minute", async () => {
    const prepare = (listed: typeof CHILDREN) =>
      shardWorld({
        prepare: (stream) => {
          stream.closed = true;
          stream.shards = listed;
        },
      });
    const withChildren = prepare(CHILDREN);
    await withChildren.clock.advance(1_000);
    expect(withChildren.outcome).toMatchObject({ kind: "ended", children: CHILDREN });

    const without = prepare([shard("shardId-000000000009")]);
    await without.clock.advance(30_000);
    expect(without.outcome).toBeUndefined();
  });

  it("that is not confirmed does not hold up a hand-over", async () => {
    const world = shardWorld({ prepare: (stream) => stream.put(3) });
    await world.clock.advance(3_000);
    world.stream.falseEnds = 1_000;
    await world.clock.advance(3_000);
    world.consumer.drain();
    await world.clock.advance(500);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(3) });
  });
});
