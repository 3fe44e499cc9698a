/** No stop goes unreported: what a shard does and since when, and the warning when that takes long. */
import { describe, expect, it } from "vitest";
import { WALL_START } from "../../../src/testing/virtual-clock.ts";
import { checkpointAt, type ShardWorld, shardWorld } from "./shard-world.ts";

const never = () => new Promise<void>(() => undefined);
const warnings = ({ logs }: ShardWorld) => logs.filter(({ level }) => level === "warn");
const longest = ({ metrics }: ShardWorld) =>
  Math.max(0, ...metrics.filter(({ name }) => name === "LongRunningTask.Time").map(({ value }) => value));

describe("a handler that hangs", () => {
  it("is warned about after 30 s, then every five minutes, and measured all the time", async () => {
    const world = shardWorld({ prepare: (stream) => stream.put(1), handler: never });
    // The handler has had the record since 10 ms after the start.
    await world.clock.advance(30_009);
    expect(warnings(world)).toEqual([]);
    await world.clock.advance(1);
    expect(warnings(world)).toMatchObject([
      { fields: { activity: "handling", attempt: 1, runningMillis: 30_000 } },
    ]);
    expect(longest(world)).toBe(30_000);
    await world.clock.advance(14_990);
    await world.clock.advance(3_600_000);
    expect(warnings(world).length).toBeGreaterThanOrEqual(12);
    expect(warnings(world).length).toBeLessThanOrEqual(13);
    expect(longest(world)).toBeGreaterThan(3_600_000 - 15_000);
    expect(world.consumer.status().activity).toEqual({
      kind: "handling",
      sinceMillis: WALL_START + 10,
      attempt: 1,
    });
  });

  it("and is asked to hand over: the drain is warned about", async () => {
    const world = shardWorld({ prepare: (stream) => stream.put(1), handler: never });
    await world.clock.advance(1_000);
    world.consumer.drain();
    await world.clock.advance(60_000);
    expect(warnings(world)).toMatchObject([
      { fields: { activity: "draining", attempt: 1, runningMillis: 30_000 } },
    ]);
    expect(world.consumer.status()).toMatchObject({
      state: "draining",
      activity: { kind: "draining", sinceMillis: WALL_START + 1_000 },
    });
  });

  it("that was warned about already holds up a hand-over: that is said at once, at the next check", async () => {
    const world = shardWorld({ prepare: (stream) => stream.put(1), handler: never });
    await world.clock.advance(40_000);
    world.consumer.drain();
    await world.clock.advance(15_000);
    expect(warnings(world).map(({ fields }) => fields.activity)).toEqual(["handling", "draining"]);
  });

  it.each([0, 7_000, 14_999])(
    "is warned about in time when it begins %d ms after a check",
    async (millis) => {
      const world = shardWorld({ handler: never });
      await world.clock.advance(15_000 + millis);
      world.stream.put(1);
      await world.clock.advance(10_000);
      const { sinceMillis } = world.consumer.status().activity;
      await world.clock.advance(sinceMillis + 30_000 - WALL_START - world.clock.now);
      expect(warnings(world)).toMatchObject([{ fields: { activity: "handling", runningMillis: 30_000 } }]);
    },
  );

  it("that is quick enough is not warned about, however often it is called", async () => {
    const world = shardWorld({ handler: (_, { clock }) => clock.sleep(25_000) });
    for (let minute = 0; minute < 20; minute += 1) {
      world.stream.put(3);
      await world.clock.advance(60_000);
    }
    expect(warnings(world)).toEqual([]);
    expect(longest(world)).toBe(0);
  });

  it("is warned about after logWarningForTaskAfterMillis", async () => {
    const options = { logWarningForTaskAfterMillis: 2_000 };
    const world = shardWorld({ options, prepare: (stream) => stream.put(1), handler: never });
    await world.clock.advance(3_500);
    expect(warnings(world)).toHaveLength(1);
  });
});

describe("a hook that hangs", () => {
  it("is warned about after 30 s: shardEnded, which may take as long as it likes", async () => {
    const world = shardWorld({
      options: { hooks: { shardEnded: never } },
      prepare: (stream) => {
        stream.put(1);
        stream.closed = true;
      },
    });
    await world.clock.advance(5_000);
    const { kind, sinceMillis } = world.consumer.status().activity;
    expect(kind).toBe("hook");
    await world.clock.advance(sinceMillis + 30_000 - WALL_START - world.clock.now);
    expect(warnings(world)).toMatchObject([{ fields: { activity: "hook", runningMillis: 30_000 } }]);
    expect(longest(world)).toBe(30_000);
  });
});

describe("what a shard is doing", () => {
  it("waits for this worker's own heartbeat", async () => {
    const world = shardWorld({
      prepare: (stream) => stream.put(1),
      deps: { whenFresh: never },
    });
    await world.clock.advance(60_000);
    expect(world.consumer.status().activity).toMatchObject({ kind: "waiting" });
    expect(warnings(world)[0]?.message).toContain("heartbeat");
    expect(world.calls).toEqual([]);
  });

  it("retries, with the attempt that comes next and the last error; then reads again", async () => {
    const world = shardWorld({
      prepare: (stream) => stream.put(1),
      handler: (_, { clock }) => {
        if (clock.now < 10_000) throw new Error("no connection");
      },
    });
    await world.clock.advance(9_000);
    const { activity, lastError } = world.consumer.status();
    expect(activity.kind).toBe("retrying");
    expect(activity.attempt).toBe(world.calls.length + 1);
    expect(lastError?.message).toBe("no connection");
    await world.clock.advance(20_000);
    expect(world.consumer.status()).toMatchObject({
      activity: { kind: "reading", attempt: undefined },
      lastError: { message: "no connection" },
    });
  });
});

describe("an error that should not exist while a shard is read", () => {
  it("halts it for a minute; then it is read anew from the progress that is known, and that is said", async () => {
    const said: string[] = [];
    const world = shardWorld({
      prepare: (stream) => stream.put(2),
      deps: {
        observe: ({ type }) => {
          said.push(type);
          if (type === "batch") throw new Error("a defect");
        },
      },
    });
    await world.clock.advance(30_000);
    expect(world.consumer.status()).toMatchObject({ state: "halted", error: "a defect" });
    expect(world.outcome).toBeUndefined();
    await world.clock.advance(31_000);
    expect(world.outcome).toEqual({ kind: "failed", checkpoint: checkpointAt(2) });
    expect(said).toEqual(["batch", "halted", "resumed"]);
  });

  it("can be drained, and resumed", async () => {
    const observe = ({ type }: { type: string }) => {
      if (type === "batch") throw new Error("a defect");
    };
    for (const [act, kind] of [
      ["drain", "drained"],
      ["resume", "failed"],
    ] as const) {
      const world = shardWorld({ prepare: (stream) => stream.put(2), deps: { observe } });
      await world.clock.advance(1_000);
      world.consumer[act]();
      await world.clock.settle();
      expect(world.outcome?.kind).toBe(kind);
    }
  });
});
