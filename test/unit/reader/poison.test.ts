/** Poison that the handler names, and poison with few neighbours. */
import { describe, expect, it } from "vitest";
import { PoisonRecordError } from "../../../src/engine/reader/handler-errors.ts";
import type { ProcessRecordsInput } from "../../../src/engine/reader/reader-options.ts";
import { checkpointAt, indexOf, shardWorld, upTo } from "./shard-world.ts";

/** Decodes a batch before processing it, as handlers do. */
function decoding(...poison: number[]) {
  const processed: number[] = [];
  const handler = ({ records }: ProcessRecordsInput) => {
    const bad = records.find((record) => poison.includes(indexOf(record)));
    if (bad !== undefined) throw new PoisonRecordError(bad, { cause: new SyntaxError("not JSON") });
    processed.push(...records.map(indexOf));
  };
  return { handler, processed };
}

describe("poison that the handler names", () => {
  it("is passed over at once, without tries and pauses; everything else comes in order", async () => {
    const { handler, processed } = decoding(3, 4, 9);
    const world = shardWorld({ options: { onError: "skip" }, prepare: (stream) => stream.put(12), handler });
    await world.clock.advance(50);
    expect(processed).toEqual([1, 2, 5, 6, 7, 8, 10, 11, 12]);
    expect(world.events.filter(({ type }) => type === "skipped")).toMatchObject([
      { reason: "poison", error: expect.stringContaining("not JSON") },
      { reason: "poison" },
      { reason: "poison" },
    ]);
    expect(world.events.filter(({ type }) => type === "retry")).toEqual([]);
    expect(world.consumer.status().checkpoint).toEqual(checkpointAt(12));
  });

  it("goes to deadLetter with the handler's error", async () => {
    const dead: [number, string][] = [];
    const { handler, processed } = decoding(1);
    const deadLetter = (record: { sequenceNumber: string }, error: Error) =>
      void dead.push([indexOf(record), error.name]);
    const world = shardWorld({ options: { onError: { deadLetter } }, prepare: (s) => s.put(3), handler });
    await world.clock.advance(50);
    expect(dead).toEqual([[1, "PoisonRecordError"]]);
    expect(processed).toEqual([2, 3]);
  });

  it("halts the shard under stop, when all before it is processed and checkpointed", async () => {
    const { handler, processed } = decoding(6);
    const world = shardWorld({ prepare: (stream) => stream.put(12), handler });
    await world.clock.advance(50);
    expect(processed).toEqual(upTo(5));
    expect(world.consumer.status()).toMatchObject({ state: "halted", checkpoint: checkpointAt(5) });
  });

  it("of another copy of this package counts as well; one that is no record of the batch is an ordinary failure", async () => {
    const world = shardWorld({
      options: { onError: "skip" },
      prepare: (stream) => stream.put(2),
      handler: ({ records }, { calls }) => {
        const record = calls.length === 1 ? { sequenceNumber: "1" } : records[0]!;
        if (indexOf(records[0]!) === 1)
          throw Object.assign(new Error("bad"), { code: "POISON_RECORD", record });
      },
    });
    await world.clock.advance(1_000);
    expect(world.events.map(({ type }) => type)).toEqual(["retry", "skipped", "batch"]);
  });

  it("in a downstream that is down for the rest: the rest is waited for", async () => {
    const processed: number[] = [];
    const world = shardWorld({
      options: { onError: "skip" },
      prepare: (stream) => stream.put(6),
      handler: ({ records }, { clock }) => {
        const bad = records.find((record) => indexOf(record) === 4);
        if (bad !== undefined) throw new PoisonRecordError(bad);
        if (clock.now < 120_000) throw new Error("down");
        processed.push(...records.map(indexOf));
      },
    });
    await world.clock.advance(160_000);
    expect(processed).toEqual([1, 2, 3, 5, 6]);
    expect(world.events.filter(({ type }) => type === "skipped")).toHaveLength(1);
  });
});

describe("poison that is alone in its batch", () => {
  it("is told from a downstream that is down once later records of other keys have come and passed", async () => {
    const processed: number[] = [];
    const world = shardWorld({
      options: { onError: "skip" },
      prepare: (stream) => stream.put(1),
      handler: ({ records }) => {
        const indexes = records.map(indexOf);
        if (indexes.includes(1)) throw new Error("cannot be processed");
        processed.push(...indexes);
      },
    });
    await world.clock.advance(60_000);
    expect(world.consumer.status().checkpoint.sequenceNumber).toBe("TRIM_HORIZON");
    world.stream.put(6);
    await world.clock.advance(60_000);
    expect(processed.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7]);
    expect(world.events.filter(({ type }) => type === "skipped")).toMatchObject([{ reason: "poison" }]);
    expect(world.consumer.status()).toMatchObject({ state: "reading", checkpoint: checkpointAt(7) });
    const batches = world.events.flatMap((event) => (event.type === "batch" ? [event.count] : []));
    expect(batches.filter((count) => count > 0)).toEqual([1, 6]);
  });

  it("and last but one in the shard: the shard ends all the same", async () => {
    const world = shardWorld({
      options: { onError: "skip", maxRecords: 1 },
      prepare: (stream) => {
        stream.put(3);
        stream.closed = true;
      },
      handler: ({ records }) => {
        if (indexOf(records[0]!) === 1) throw new Error("cannot be processed");
      },
    });
    await world.clock.advance(120_000);
    expect(world.outcome).toMatchObject({ kind: "ended", checkpoint: checkpointAt(3) });
    expect(world.calls.flatMap((call) => call.records.map(indexOf)).filter((index) => index > 1)).toEqual([
      2, 3,
    ]);
  });

  it("what a handler checkpoints for a record ahead of it is not written before it is settled", async () => {
    const world = shardWorld({
      options: { onError: "skip", checkpointMode: "manual", checkpointIntervalMillis: 0 },
      prepare: (stream) => stream.put(4),
      handler: async ({ records, checkpoint }, { lease }) => {
        if (indexOf(records[0]!) === 1) throw new Error("cannot be processed");
        const before = lease.writes.length;
        await checkpoint();
        if (records.length === 1) expect(lease.writes.length).toBe(before);
      },
    });
    await world.clock.advance(60_000);
    expect(world.events.filter(({ type }) => type === "skipped")).toHaveLength(1);
    expect(world.lease.writes.at(-1)?.checkpoint).toEqual(checkpointAt(4));
  });

  it("a record ahead of it that the handler checkpointed before it failed is not given again (seed 946607)", async () => {
    const world = shardWorld({
      options: { onError: "skip", checkpointMode: "manual", checkpointIntervalMillis: 0 },
      prepare: (stream) => stream.put(4),
      handler: async ({ records, checkpoint }) => {
        if (indexOf(records[0]!) === 1) throw new Error("cannot be processed");
        await checkpoint();
        if (records.length === 1) throw new Error("fails after its work is done");
      },
    });
    await world.clock.advance(60_000);
    const given = world.calls.flatMap((call) => call.records.map(indexOf)).filter((index) => index > 1);
    const afterWhole = given.slice(3 * 4); // the whole batch is tried four times
    expect(afterWhole.toSorted((a, b) => a - b)).toEqual([2, 3, 4]);
    expect(world.lease.writes.at(-1)?.checkpoint).toEqual(checkpointAt(4));
  });

  it("and a drain that comes then takes both checkpoints along", async () => {
    const world = shardWorld({
      options: { onError: "skip", checkpointMode: "manual" },
      prepare: (stream) => stream.put(2),
      handler: async ({ records, checkpoint, draining }, { calls }) => {
        const isWhole = records.length === 2;
        const isAhead = indexOf(records[0]!) === 2;
        if (isAhead) await checkpoint();
        // The first record is processed in the last call before the hand-over.
        else if (
          !isWhole &&
          calls.some((call) => call.records.length === 1 && indexOf(call.records[0]!) === 2)
        ) {
          world.consumer.drain();
          expect(draining.aborted).toBe(true);
          await checkpoint();
        }
        throw new Error("fails after its work is done");
      },
    });
    await world.clock.advance(60_000);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(2) });
  });
});
