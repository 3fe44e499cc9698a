/** Batches in parts, where the handler blocks the event loop; and whole, where it is only slow. */
import { describe, expect, it } from "vitest";
import type { HandlerCallSpan } from "../../../src/engine/loop-watch.ts";
import { shardWorld, upTo, type WorldSetup } from "./shard-world.ts";

/** An event loop that every call blocks for a time that depends on its records. */
const blocking = (millisOf: (records: number) => number, leastJudgedMillis = 0) => {
  const loop = {
    records: 0,
    leastJudgedMillis,
    optionMillis: 10_000,
    callBegins: (): HandlerCallSpan => ({ returned: () => undefined, over: () => millisOf(loop.records) }),
  };
  return loop;
};

const world = ({ handler, ...setup }: WorldSetup, loop = blocking(() => 0)) =>
  shardWorld({
    prepare: (stream) => stream.put(500),
    ...setup,
    deps: { loop },
    handler: (input, seen) => {
      loop.records = input.records.length;
      return handler?.(input, seen);
    },
  });

describe("a batch whose handler blocks the event loop", () => {
  it("is given whole to a handler that is only slow", async () => {
    const seen = world({ handler: (_, { clock }) => clock.sleep(60_000) });
    await seen.clock.advance(300_000);
    expect(seen.calls.map(({ records }) => records.length)).toEqual([500]);
  });

  it("comes in parts from the second on, in order, each record once, each part checkpointed", async () => {
    const loop = blocking((records) => 100 * records);
    const seen = world({ options: { maxRecords: 100, checkpointIntervalMillis: 0 } }, loop);
    await seen.clock.advance(120_000);
    expect(seen.indexes()).toEqual(upTo(500));
    const sizes = seen.calls.map(({ records }) => records.length);
    expect(sizes[0]).toBe(100);
    expect(Math.max(...sizes.slice(1))).toBeLessThanOrEqual(25);
    expect(seen.lease.writes).toHaveLength(seen.calls.length);
  });

  it("is left to the next owner after the part that a hand-over waits for", async () => {
    const loop = blocking(() => 2_500, 30_000);
    const seen = world({ handler: (_, { clock }) => clock.sleep(1_000) }, loop);
    await seen.clock.advance(1_500);
    seen.consumer.drain();
    await seen.clock.advance(5_000);
    const { outcome, delivered } = seen;
    expect(delivered.length).toBeLessThan(10);
    expect(outcome).toMatchObject({
      kind: "drained",
      checkpoint: { sequenceNumber: delivered.at(-1)!.sequenceNumber },
    });
  });

  it("fails in its part: what comes after it is not given before it", async () => {
    const loop = blocking(() => 2_500, 30_000);
    let failures = 6;
    const handler: WorldSetup["handler"] = () => {
      if (failures-- > 0) throw new Error("downstream is down");
    };
    const seen = world({ handler, options: { maxRecords: 100 }, prepare: (stream) => stream.put(300) }, loop);
    await seen.clock.advance(600_000);
    const passed = seen.calls.filter((_, index) => index >= 6).flatMap(({ records }) => records);
    const numbers = passed.map(({ sequenceNumber }) => sequenceNumber);
    expect(numbers).toEqual([...new Set(numbers)].toSorted());
    expect(numbers).toHaveLength(300);
  });

  it("begins with one record after an owner that was gone", async () => {
    const seen = shardWorld({
      prepare: (stream, lease) => {
        stream.put(500);
        Object.assign(lease, { isFromGoneOwner: true });
      },
      deps: { loop: blocking(() => 0) },
    });
    await seen.clock.advance(60_000);
    expect(seen.calls.map(({ records }) => records.length)).toEqual([1, 10, 100, 389]);
    expect(seen.indexes()).toEqual(upTo(500));
  });
});
