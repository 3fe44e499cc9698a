/** The handler's downstream fails for a while: the reader waits, calls seldom, and gives no record up. */
import { describe, expect, it } from "vitest";
import type { ProcessRecordsInput, ShardReaderOptions } from "../../../src/engine/reader/reader-options.ts";
import { checkpointAt, indexOf, type ShardWorld, shardWorld, upTo } from "./shard-world.ts";

const policies = ["stop", "skip", "deadLetter"] as const;

/** A thousand records, and a database behind the handler that fails from 1 s on. */
function outage(
  policy: (typeof policies)[number],
  downMillis: number,
  options: Partial<ShardReaderOptions> = {},
) {
  const processed: number[] = [];
  const dead: number[] = [];
  const failedAt: number[] = [];
  const world = shardWorld({
    options: {
      maxRecords: 400,
      onError: policy === "deadLetter" ? { deadLetter: (record) => void dead.push(indexOf(record)) } : policy,
      ...options,
    },
    handler: async ({ records }, { clock }) => {
      await clock.sleep(5);
      if (clock.now >= 1_000 && clock.now < 1_000 + downMillis) {
        failedAt.push(clock.now);
        throw new Error("ECONNREFUSED database");
      }
      processed.push(...records.map(indexOf));
    },
  });
  return { world, processed, dead, failedAt };
}

const eventTypes = ({ events }: ShardWorld) => new Set(events.map(({ type }) => type));

describe.each(policies)('a downstream that is down, with onError "%s"', (policy) => {
  it.each([10_000, 600_000, 6 * 3_600_000])(
    "for %d ms: nothing is given up, nothing halts, and all is processed in order",
    async (millis) => {
      const { world, processed, dead, failedAt } = outage(policy, millis);
      await world.clock.advance(1_000);
      world.stream.put(1_000);
      await world.clock.advance(millis + 35_000);
      expect(processed).toEqual(upTo(1_000));
      expect(dead).toEqual([]);
      expect([...eventTypes(world)].sort()).toEqual(["batch", "retry"]);
      expect(world.consumer.status()).toMatchObject({ state: "reading", checkpoint: checkpointAt(1_000) });
      expect(failedAt.length / (millis / 60_000)).toBeLessThanOrEqual(millis < 60_000 ? 60 : 4);
    },
  );

  it("is said once, counted by class at the default level, and said again when it is over", async () => {
    const { world } = outage(policy, 200_000);
    await world.clock.advance(1_000);
    world.stream.put(1_000);
    await world.clock.advance(240_000);
    const said = world.logs.filter(({ level }) => level === "warn" || level === "error");
    expect(said.map(({ message }) => message)).toEqual([
      "handler fails (unavailable): trying again until it works",
      "handler works again",
    ]);
    expect(String(said[0]?.fields.err)).toContain("ECONNREFUSED");
    expect(
      world.metrics.filter(({ name, operation }) => name === "Errors" && operation === "handler").length,
    ).toBeGreaterThan(5);
  });
});

describe("a drain during it", () => {
  it("ends the pause at once, and leaves what is left to the next owner", async () => {
    const { world, processed } = outage("stop", 3_600_000);
    await world.clock.advance(1_000);
    world.stream.put(1_000);
    await world.clock.advance(300_000);
    expect(world.consumer.status().activity.kind).toBe("retrying");
    const calls = world.calls.length;
    world.consumer.drain();
    await world.clock.settle();
    expect(world.outcome).toMatchObject({ kind: "drained" });
    expect(world.calls.length).toBe(calls);
    expect(processed).toEqual([]);
  });

  it("reaches a handler that waits itself: `draining` aborts long before `signal`", async () => {
    const seen: string[] = [];
    const world = shardWorld({
      prepare: (stream) => stream.put(3),
      handler: async ({ draining, signal }, { clock }) => {
        await clock.sleep(3_600_000, draining);
        seen.push(`draining ${draining.aborted}, signal ${signal.aborted}: ${String(draining.reason)}`);
        throw new Error("not done");
      },
    });
    await world.clock.advance(5_000);
    world.consumer.drain();
    await world.clock.settle();
    expect(seen).toEqual(["draining true, signal false: Error: a hand-over or a stop is wanted"]);
    expect(world.outcome).toMatchObject({ kind: "drained" });
    // Interrupted retries are no failure.
    expect(world.events.filter(({ type }) => type === "retry")).toEqual([]);
  });

  it("a call that begins during it, for a final read, has its `draining` aborted from the start", async () => {
    const seen: boolean[] = [];
    const world = shardWorld({
      handler: ({ draining }) => {
        seen.push(draining.aborted);
      },
    });
    await world.clock.advance(500);
    world.stream.put(1);
    world.consumer.drain();
    await world.clock.advance(50);
    expect(seen).toEqual([true]);
  });
});

describe("what a call is told", () => {
  it("`attempt` counts the failed calls that its first record has been in", async () => {
    const seen: [number, number, number][] = [];
    const world = shardWorld({
      prepare: (stream) => stream.put(8),
      handler: ({ attempt, records }, { clock }) => {
        seen.push([attempt, indexOf(records[0]!), records.length]);
        if (clock.now < 5_000) throw new Error("down");
      },
    });
    await world.clock.advance(60_000);
    expect(seen.slice(0, 6)).toEqual([
      [1, 1, 8],
      [2, 1, 8],
      [3, 1, 8],
      [4, 1, 8],
      [5, 1, 1],
      [6, 1, 1],
    ]);
    expect(seen.slice(6).map(([attempt]) => attempt)).toEqual([5, 5, 5].slice(0, seen.length - 6));
  });

  it("events say which attempt failed, for how many records, and how long the pause is", async () => {
    const world = shardWorld({
      prepare: (stream) => stream.put(4),
      handler: (_, { calls }) => {
        if (calls.length < 3) throw new Error("hiccup");
      },
    });
    await world.clock.advance(5_000);
    const retries = world.events.flatMap((event) => (event.type === "retry" ? [event] : []));
    expect(retries).toMatchObject([
      { attempt: 1, count: 4, error: "hiccup" },
      { attempt: 2, count: 4, error: "hiccup" },
    ]);
    const [first, second] = retries.map(({ delayMillis }) => delayMillis);
    expect(first).toBeGreaterThanOrEqual(150);
    expect(first).toBeLessThanOrEqual(200);
    expect(second).toBeGreaterThanOrEqual(300);
    expect(second).toBeLessThanOrEqual(400);
  });
});

describe("those who want to give up", () => {
  const alwaysFails = (setup: Partial<ShardReaderOptions>) =>
    shardWorld({
      options: setup,
      prepare: (stream) => stream.put(5),
      handler: () => {
        throw new Error("no");
      },
    });

  it("maxAttempts with skip: passes over record by record, no more than two in a minute", async () => {
    const world = alwaysFails({ onError: "skip", retry: { maxAttempts: 6 } });
    await world.clock.advance(600_000);
    const skipped = world.events.flatMap((event) => (event.type === "skipped" ? [event] : []));
    expect(skipped.map(({ reason, sequenceNumber }) => [reason, indexOf({ sequenceNumber })])).toEqual(
      upTo(5).map((index) => ["attempts", index]),
    );
    const spaced = skipped.slice(1).map(({ atMillis }, index) => atMillis - skipped[index]!.atMillis);
    expect(Math.min(...spaced.slice(2))).toBeGreaterThanOrEqual(20_000);
    expect(world.consumer.status().checkpoint).toEqual(checkpointAt(5));
  });

  it("maxAttempts with stop: halts", async () => {
    const world = alwaysFails({ retry: { maxAttempts: 5 } });
    await world.clock.advance(30_000);
    expect(world.calls.length).toBe(5);
    expect(world.consumer.status()).toMatchObject({ state: "halted", error: "no" });
  });

  it("maxRecordAgeMillis: what fails alone and is older is given up, what is younger is tried again", async () => {
    const world = alwaysFails({ onError: "skip", retry: { maxRecordAgeMillis: 60_000 } });
    await world.clock.advance(59_000);
    expect(world.events.filter(({ type }) => type === "skipped")).toEqual([]);
    await world.clock.advance(300_000);
    expect(world.events.flatMap((event) => (event.type === "skipped" ? [event.reason] : []))).toEqual(
      Array(5).fill("age"),
    );
  });
});

describe("a halted shard", () => {
  /** Record 5 is poison until it is repaired. */
  function halting() {
    const state = { mended: false };
    const processed: number[] = [];
    const handler = ({ records }: ProcessRecordsInput) => {
      const indexes = records.map(indexOf);
      if (indexes.includes(5) && !state.mended) throw new Error("cannot be decoded");
      processed.push(...indexes);
    };
    const world = shardWorld({ prepare: (stream) => stream.put(9), handler });
    return { world, state, processed };
  }

  it("tries again by itself once a minute, and says when it goes on", async () => {
    const { world, state, processed } = halting();
    await world.clock.until(() => world.consumer.status().state === "halted");
    const calls = world.calls.length;
    await world.clock.advance(300_000);
    expect(world.calls.length - calls).toBe(5);
    expect(world.events.filter(({ type }) => type === "halted")).toHaveLength(1);
    state.mended = true;
    await world.clock.advance(61_000);
    expect(world.events.filter(({ type }) => type === "resumed")).toHaveLength(1);
    expect(world.consumer.status()).toMatchObject({ state: "reading", error: undefined });
    expect(processed).toEqual(upTo(9));
  });

  it("goes on at once when it is resumed; a resume that helps nothing leaves it halted", async () => {
    const { world, state, processed } = halting();
    await world.clock.until(() => world.consumer.status().state === "halted");
    expect(world.consumer.resume()).toBe(true);
    await world.clock.advance(10);
    expect(world.consumer.status().state).toBe("halted");
    state.mended = true;
    expect(world.consumer.resume()).toBe(true);
    await world.clock.advance(10);
    expect(processed).toEqual(upTo(9));
    expect(world.consumer.status().state).toBe("reading");
    expect(world.consumer.resume()).toBe(false);
  });

  it("a shard that waits for its next try has it at once when it is resumed", async () => {
    const { world, processed } = outage("stop", 300_000);
    await world.clock.advance(1_000);
    world.stream.put(10);
    await world.clock.advance(301_000);
    if (processed.length === 0) expect(world.consumer.resume()).toBe(true);
    await world.clock.advance(300);
    expect(processed).toEqual(upTo(10));
  });
});
