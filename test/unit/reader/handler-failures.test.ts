import { describe, expect, it } from "vitest";
import type { ConsumerRecord } from "../../../src/core/record.ts";
import type { ProcessRecordsInput } from "../../../src/engine/reader/reader-options.ts";
import { checkpointAt, indexOf, SHARD_ID, shardWorld, upTo } from "./shard-world.ts";

/** A handler that fails any call with one of these records, and otherwise notes the processed records. */
function refusing(...poison: number[]) {
  const processed: number[] = [];
  const handler = ({ records }: ProcessRecordsInput) => {
    const indexes = records.map(indexOf);
    if (indexes.some((index) => poison.includes(index))) throw new Error("poison");
    processed.push(...indexes);
  };
  return { handler, processed };
}

describe("a handler that fails", () => {
  it("gets the same batch again, with growing pauses, and nothing later before it succeeds", async () => {
    const at: number[] = [];
    const world = shardWorld({
      options: { maxRecords: 5 },
      prepare: (stream) => stream.put(10),
      handler: (_, { calls, clock }) => {
        at.push(clock.now);
        if (calls.length < 4) throw new Error("hiccup");
      },
    });
    await world.clock.advance(30_000);
    expect(world.calls.map((call) => call.records.map(indexOf))).toEqual([
      ...Array(4).fill(upTo(5)),
      [6, 7, 8, 9, 10],
    ]);
    const limits = [400, 800, 1_600];
    for (const [index, limit] of limits.entries()) {
      expect((at[index + 1] ?? 0) - (at[index] ?? 0)).toBeLessThanOrEqual(limit);
    }
  });

  it("a handler that throws before its first await counts the same", async () => {
    const world = shardWorld({
      options: { processTimeoutMillis: 1_000 },
      prepare: (stream) => stream.put(1),
      handler: (_, { calls }) => {
        if (calls.length === 1) throw "a string";
      },
    });
    await world.clock.advance(5_000);
    expect(world.calls.length).toBe(2);
    expect(world.logs.some((line) => String(line.fields.error).includes("a string"))).toBe(true);
  });

  it("with stop: halts the shard at the record that fails while others pass, loudly, and keeps the lease", async () => {
    const { handler, processed } = refusing(7);
    const world = shardWorld({
      options: { maxRecords: 5, checkpointIntervalMillis: 0 },
      prepare: (stream) => stream.put(30),
      handler,
    });
    await world.clock.advance(50_000);
    expect(processed).toEqual(upTo(6));
    expect(world.outcome).toBeUndefined();
    expect(world.consumer.status()).toMatchObject({
      state: "halted",
      activity: { kind: "halted", sinceMillis: expect.any(Number), attempt: undefined },
      checkpoint: checkpointAt(6),
      millisBehindLatest: expect.any(Number),
      bufferedBytes: expect.any(Number),
      error: "poison",
      lastError: { message: "poison", atMillis: expect.any(Number) },
    });
    expect(world.events.at(-1)).toMatchObject({ type: "halted", shardId: SHARD_ID, error: "poison" });
    expect(world.logs.filter((line) => line.level === "error").map((line) => line.message)).toEqual([
      expect.stringContaining("worker.resume(shardId)"),
    ]);
    const reads = world.stream.reads.length;
    world.consumer.drain();
    await world.clock.settle();
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(6) });
    expect(world.stream.reads.length).toBe(reads);
  });

  it("with skip: passes over the records that fail on their own, logs each range, and processes all others in order", async () => {
    const { handler, processed } = refusing(3, 4, 9);
    const world = shardWorld({
      options: { maxRecords: 12, onError: "skip", checkpointIntervalMillis: 0 },
      prepare: (stream) => stream.put(24),
      handler,
    });
    await world.clock.advance(60_000);
    expect(processed).toEqual(upTo(24).filter((index) => ![3, 4, 9].includes(index)));
    const skipped = world.logs.filter((line) => line.message.includes("skipped"));
    expect(
      skipped.map((line) => [line.fields.count, indexOf({ sequenceNumber: String(line.fields.from) })]),
    ).toEqual([
      [2, 3],
      [1, 9],
    ]);
    expect(world.lease.writes.at(-1)?.checkpoint).toEqual(checkpointAt(24));
    // Four calls for the batch; for each record the halving and its calls alone.
    expect(world.calls.length).toBeLessThan(4 + 3 * (Math.ceil(Math.log2(12)) + 7));
  });

  it("with deadLetter: hands over exactly the records that fail on their own, with their error", async () => {
    const { handler, processed } = refusing(2, 6);
    const dead: [number, string][] = [];
    const world = shardWorld({
      options: {
        onError: {
          deadLetter: (record: ConsumerRecord, error: Error) => {
            dead.push([indexOf(record), error.message]);
          },
        },
      },
      prepare: (stream) => stream.put(8),
      handler,
    });
    await world.clock.advance(30_000);
    expect(dead).toEqual([
      [2, "poison"],
      [6, "poison"],
    ]);
    expect(processed).toEqual([1, 3, 4, 5, 7, 8]);
    expect(world.events.filter(({ type }) => type === "dead-letter")).toMatchObject([
      { sequenceNumber: checkpointAt(2).sequenceNumber, reason: "poison", error: "poison" },
      { sequenceNumber: checkpointAt(6).sequenceNumber, reason: "poison" },
    ]);
  });

  it.each([
    ["30 s", undefined, 30_000],
    ["processTimeoutMillis", 2_000, 2_000],
  ])(
    "with a deadLetter that does not settle once: it is told after %s, tried again, and nothing is passed over",
    async (_, processTimeoutMillis, limitMillis) => {
      const { handler, processed } = refusing(2);
      const given: number[] = [];
      const world = shardWorld({
        options: {
          processTimeoutMillis,
          onError: {
            deadLetter: () => {
              given.push(world.clock.now);
              return given.length === 1 ? new Promise<void>(() => undefined) : undefined;
            },
          },
        },
        prepare: (stream) => stream.put(4),
        handler,
      });
      await world.clock.until(() => given.length === 1);
      await world.clock.advance(given[0]! + limitMillis - 1 - world.clock.now);
      const errors = () => world.logs.filter(({ level }) => level === "error").map(({ message }) => message);
      expect(errors()).toEqual([]);
      expect(world.consumer.status().activity.kind).toBe("handling");
      await world.clock.advance(1);
      expect(errors()).toEqual([
        expect.stringContaining(`deadLetter did not finish within ${limitMillis} ms`),
      ]);
      await world.clock.advance(10_000);
      expect(given).toHaveLength(2);
      expect(processed).toEqual([1, 3, 4]);
      expect(world.lease.writes.at(-1)?.checkpoint).toEqual(checkpointAt(4));
    },
  );

  it("with a deadLetter that never settles: a drain gives the record to the next owner within its limit", async () => {
    const { handler } = refusing(2);
    const options = { onError: { deadLetter: () => new Promise<void>(() => undefined) } };
    const world = shardWorld({ options, prepare: (stream) => stream.put(4), handler });
    await world.clock.advance(20_000);
    world.consumer.drain();
    await world.clock.advance(31_000);
    expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(1) });
  });

  it("while it is being isolated, what its handler checkpoints is not given to it again", async () => {
    const processed: number[] = [];
    const world = shardWorld({
      options: { checkpointMode: "manual", onError: "skip" },
      prepare: (stream) => stream.put(12),
      handler: async ({ records, checkpoint }) => {
        for (const record of records) {
          if ([4, 11].includes(indexOf(record))) throw new Error("poison");
          processed.push(indexOf(record));
          await checkpoint(record);
        }
      },
    });
    await world.clock.advance(30_000);
    expect(processed).toEqual(upTo(12).filter((index) => index !== 4 && index !== 11));
  });

  it.each([
    ["without end by default", undefined, "reading"],
    ["until maxAttempts, then halts", 6, "halted"],
  ])(
    "with a deadLetter that fails too: tries it again %s, and the record is not passed",
    async (_, maxAttempts, state) => {
      const { handler, processed } = refusing(4);
      let tries = 0;
      const world = shardWorld({
        options: {
          checkpointIntervalMillis: 0,
          retry: maxAttempts === undefined ? {} : { maxAttempts },
          onError: {
            deadLetter: () => {
              tries += 1;
              throw new Error("queue is gone");
            },
          },
        },
        prepare: (stream) => stream.put(8),
        handler,
      });
      await world.clock.advance(50_000);
      expect(tries).toBeGreaterThanOrEqual(6);
      expect(tries).toBeLessThan(10);
      expect(world.consumer.status()).toMatchObject({
        state,
        lastError: { message: "queue is gone" },
        checkpoint: checkpointAt(3),
      });
      expect(processed).not.toContain(4);
      world.consumer.drain();
      await world.clock.settle();
      expect(world.outcome).toEqual({ kind: "drained", checkpoint: checkpointAt(3) });
    },
  );

  it("that exceeds processTimeoutMillis sees its signal abort, and its batch is tried again only when it is out", async () => {
    let running = 0;
    const world = shardWorld({
      options: { processTimeoutMillis: 1_000 },
      prepare: (stream) => stream.put(2),
      handler: async ({ signal }, { clock, calls }) => {
        if (calls.length > 1) {
          expect(running).toBe(0);
          return;
        }
        running += 1;
        await clock.sleep(60_000, signal);
        expect(clock.now).toBe(1_010);
        expect(String(signal.reason)).toContain("processTimeoutMillis (1000 ms)");
        await clock.sleep(2_000);
        running -= 1;
      },
    });
    await world.clock.advance(20_000);
    expect(world.calls.length).toBe(2);
    expect(world.lease.writes.at(-1)?.checkpoint).toEqual(checkpointAt(2));
  });

  it("that hangs and ignores its signal is given up after a grace, loudly, and tried again with pauses", async () => {
    const world = shardWorld({
      options: { processTimeoutMillis: 1_000 },
      prepare: (stream) => stream.put(2),
      handler: () => new Promise(() => undefined),
    });
    await world.clock.advance(600_000);
    expect(world.calls.length).toBeGreaterThan(10);
    expect(world.calls.length).toBeLessThanOrEqual(40);
    expect(world.consumer.status()).toMatchObject({
      state: "reading",
      lastError: { message: expect.stringContaining("processTimeoutMillis") },
    });
    expect(world.logs.some((line) => line.message.includes("may overlap"))).toBe(true);
  });

  it("that rejects long after its time-out takes nothing down with it", async () => {
    const world = shardWorld({
      options: { processTimeoutMillis: 500 },
      prepare: (stream) => stream.put(1),
      handler: async (_, { clock, calls }) => {
        if (calls.length > 1) return;
        await clock.sleep(30_000);
        throw new Error("late");
      },
    });
    await world.clock.advance(60_000);
    expect(world.calls.length).toBe(2);
    expect(world.consumer.status().state).toBe("reading");
  });
});
