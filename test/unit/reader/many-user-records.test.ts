/**
 * One Kinesis record of 1 MiB with 170,000 user records of one byte or none: few of them are made at a time.
 */
import { describe, expect, it } from "vitest";
import { deaggregate, Expansion } from "../../../src/core/deaggregate.ts";
import type { ConsumerRecord } from "../../../src/core/record.ts";
import { aggregate } from "./aggregate.ts";
import { checkpointAt, sequence, shardWorld, type TestStream } from "./shard-world.ts";

const COUNT = 170_000;
const PIECE = 10_000;
const tiny = aggregate(Array.from({ length: COUNT }, () => ({ partitionKey: "k", data: new Uint8Array() })));
const at = (n: number) => ({
  data: tiny,
  partitionKey: "a",
  sequenceNumber: sequence(n),
  subSequenceNumber: 0,
  approximateArrivalTimestamp: new Date(0),
});
const put = (stream: TestStream, count: number) => {
  for (let n = 1; n <= count; n += 1) stream.records.push({ ...at(n), at: 0 });
};
const isInOrder = (records: readonly ConsumerRecord[], first = 0) =>
  records.every(({ subSequenceNumber }, index) => subSequenceNumber === (first + index) % COUNT);

describe("an aggregate of a MiB of tiny user records", () => {
  it("is what Kinesis takes as one record", () => {
    expect(tiny.length).toBeGreaterThan(0.95 * 1024 * 1024);
    expect(tiny.length).toBeLessThanOrEqual(1024 * 1024);
  });

  it("is expanded piece by piece: no user record is made before its piece", () => {
    let made = 0;
    const keeps = () => {
      made += 1;
      return true;
    };
    const expansion = new Expansion([at(1), at(2)], { keeps });
    const all: ConsumerRecord[] = [];
    for (let pieces = 1; !expansion.isOver; pieces += 1) {
      const piece = expansion.next(PIECE);
      expect([piece.length, made]).toEqual([PIECE, pieces * PIECE]);
      for (const record of piece) all.push(record);
    }
    expect(all).toHaveLength(2 * COUNT);
    expect(isInOrder(all)).toBe(true);
    expect([0, 1, COUNT - 1].map((index) => all[index])).toEqual(
      [0, 1, COUNT - 1].map((index) => deaggregate([at(1)])[index]),
    );
  });

  it("reaches the handler once and in order, in batches no larger than a read's, and the shard ends after all", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        put(stream, 2);
        stream.closed = true;
      },
    });
    await world.clock.until(() => world.outcome !== undefined);
    expect(world.outcome).toMatchObject({ kind: "ended", checkpoint: checkpointAt(2, COUNT - 1) });
    expect(Math.max(...world.calls.map(({ records }) => records.length))).toBe(PIECE);
    expect(world.delivered).toHaveLength(2 * COUNT);
    expect(isInOrder(world.delivered)).toBe(true);
    expect(world.consumer.status().bufferedBytes).toBe(0);
  });

  it("that a handler hangs on counts its bytes once, and no more than a piece is handed out", async () => {
    const world = shardWorld({
      prepare: (stream) => put(stream, 1),
      handler: () => new Promise(() => undefined),
    });
    await world.clock.advance(60_000);
    expect(world.delivered).toHaveLength(PIECE);
    expect(world.consumer.status().bufferedBytes).toBe(tiny.length + 1);
  });

  it("is handed over in its middle: the next owner goes on with the user record after", async () => {
    const world = shardWorld({
      prepare: (stream) => put(stream, 1),
      handler: (_, w) => w.clock.sleep(1_000),
    });
    await world.clock.advance(3_500);
    world.consumer.drain();
    await world.clock.advance(2_000);
    const handled = world.delivered.length;
    expect(handled).toBeLessThan(COUNT);
    const checkpoint = checkpointAt(1, handled - 1);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint });
    const next = shardWorld({ checkpoint, prepare: (stream) => put(stream, 1) });
    await next.clock.advance(5_000);
    expect(handled + next.delivered.length).toBe(COUNT);
    expect(isInOrder(next.delivered, handled)).toBe(true);
  });

  it("whose user records fail one and all is waited out, with the batches behind it joined, and nothing overflows", async () => {
    const world = shardWorld({
      options: { onError: "skip" },
      prepare: (stream) => put(stream, 1),
      handler: () => {
        throw new Error("downstream is down");
      },
    });
    await world.clock.advance(30_000);
    expect(world.consumer.status()).toMatchObject({ state: "reading", activity: { kind: "retrying" } });
    expect(world.logs.filter(({ fields }) => String(fields.err).includes("RangeError"))).toEqual([]);
  });
});
