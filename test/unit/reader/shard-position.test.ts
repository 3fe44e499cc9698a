/** Where reading begins again when Kinesis refuses the last position. */
import { describe, expect, it } from "vitest";
import type { Position, StreamErrorClass } from "../../../src/ports/stream.ts";
import { VirtualClock, WALL_START } from "../../../src/testing/virtual-clock.ts";
import { checkpointAt, type ShardWorld, sequence, shardWorld, upTo } from "./shard-world.ts";

const times = (count: number, problem: StreamErrorClass) => Array<StreamErrorClass>(count).fill(problem);
const errors = ({ logs }: ShardWorld) =>
  logs.filter((line) => line.level === "error").map((line) => line.message);
const isNumber = (position: Position, n: number) =>
  "sequenceNumber" in position && position.sequenceNumber === sequence(n);

describe("a sequence number that Kinesis refuses", () => {
  const AT_THREE = { kind: "at-sequence-number", sequenceNumber: sequence(3) } as const;

  it.each<[StreamErrorClass]>([["invalid"], ["not-found"]])(
    "(%s) for good, nothing read yet: the trim horizon, with a loud line; what the checkpoint covers is not repeated",
    async (problem) => {
      const world = shardWorld({
        checkpoint: checkpointAt(3),
        prepare: (stream) => {
          stream.put(10);
          stream.refuses = (position) => (isNumber(position, 3) ? problem : undefined);
        },
      });
      await world.clock.advance(60_000);
      expect(world.stream.positions).toEqual([{ kind: "trim-horizon" }]);
      expect(world.indexes()).toEqual(upTo(10).slice(3));
      expect(errors(world).at(-1)).toContain("Kinesis refuses the position of this shard");
    },
  );

  it("for good, after reads: back to where the last record arrived, not to the trim horizon; nothing comes twice", async () => {
    const world = shardWorld({ options: { maxRecords: 50 } });
    // A record a second for ten minutes: 600 records, of which the last minute is read again.
    for (let second = 0; second < 600; second += 1) {
      world.stream.put(1);
      await world.clock.advance(1_000);
    }
    await world.clock.advance(2_000);
    const before = world.stream.reads.reduce((sum, read) => sum + read.count, 0);
    world.stream.refuses = (position) => (isNumber(position, 600) ? "invalid" : undefined);
    world.stream.readFaults.push("invalid");
    world.stream.put(5);
    await world.clock.advance(60_000);
    expect(world.stream.positions.at(-1)).toEqual({
      kind: "at-timestamp",
      timestamp: new Date(WALL_START + 599_000 - 60_000),
    });
    const again = world.stream.reads.reduce((sum, read) => sum + read.count, 0) - before - 5;
    expect(again).toBeGreaterThan(0);
    expect(again).toBeLessThanOrEqual(61);
    expect(world.indexes()).toEqual(upTo(605));
  });

  it("once or twice, or for a moment, is asked for again", async () => {
    for (const faults of [times(1, "invalid"), times(2, "invalid")]) {
      const world = shardWorld({
        checkpoint: checkpointAt(3),
        prepare: (stream) => {
          stream.put(10);
          stream.iteratorFaults.push(...faults);
        },
      });
      await world.clock.advance(20_000);
      expect(world.stream.positions).toEqual([AT_THREE]);
      expect(world.indexes()).toEqual(upTo(10).slice(3));
    }
    const brief = shardWorld({
      checkpoint: checkpointAt(3),
      prepare: (stream, _lease, clock) => {
        stream.put(10);
        stream.refuses = () => (clock.now < 4_000 ? "invalid" : undefined);
      },
    });
    await brief.clock.advance(20_000);
    expect(brief.stream.positions).toEqual([AT_THREE]);
  });

  it("together with every other position, for an hour, is not given up", async () => {
    const world = shardWorld({
      checkpoint: checkpointAt(3),
      prepare: (stream, _lease, clock) => {
        stream.put(10);
        stream.refuses = () => (clock.now < 3_600_000 ? "invalid" : undefined);
      },
    });
    await world.clock.advance(3_620_000);
    // The trim horizon is requested as well, and would be accepted: the iterator that is given first wins.
    expect(world.stream.positions).toHaveLength(1);
    expect(world.indexes()).toEqual(upTo(10).slice(3));
  });

  it("is not what is refused when an iterator is: a new one comes from the same place, however often", async () => {
    const world = shardWorld({ options: { maxRecords: 4 }, prepare: (stream) => stream.put(10) });
    await world.clock.until(() => world.delivered.length === 4);
    world.stream.readFaults.push(...times(12, "invalid"));
    await world.clock.advance(120_000);
    expect(new Set(world.stream.positions.slice(1).map((position) => position.kind))).toEqual(
      new Set(["after-sequence-number"]),
    );
    expect(world.indexes()).toEqual(upTo(10));
  });
});

describe("LATEST", () => {
  const LATEST = { sequenceNumber: "LATEST", subSequenceNumber: 0 };
  /** Like Kinesis: no time in the future of its own clock. */
  const notToCome = (clock: VirtualClock) => (position: Position) =>
    position.kind === "at-timestamp" && position.timestamp.getTime() > clock.wallMillis()
      ? "invalid"
      : undefined;

  it.each([200, 5_000, 59_000, 90_000, 600_000])(
    "of a row whose clock was %i ms ahead loses nothing of what was put after the row was made",
    async (aheadMillis) => {
      const clock = new VirtualClock();
      const world = shardWorld({
        clock,
        checkpoint: LATEST,
        options: { initialPosition: "LATEST" },
        prepare: (stream, lease) => {
          lease.startMillis = clock.wallMillis() + aheadMillis;
          stream.refuses = notToCome(clock);
          stream.put(100);
        },
      });
      await world.clock.until(() => world.delivered.length >= 100, aheadMillis + 120_000);
      expect(world.indexes()).toEqual(upTo(100));
      expect(world.logs.some((line) => line.message.includes("is ahead"))).toBe(true);
    },
  );

  it("of a row whose clock, and this worker's, are two hours ahead of Kinesis's begins in time, within seconds", async () => {
    const clock = new VirtualClock();
    const kinesisMillis = () => clock.wallMillis() - 7_200_000;
    const world = shardWorld({
      clock,
      checkpoint: LATEST,
      prepare: (stream, lease) => {
        lease.startMillis = clock.wallMillis();
        stream.refuses = (position) =>
          position.kind === "at-timestamp" && position.timestamp.getTime() > kinesisMillis()
            ? "invalid"
            : undefined;
      },
    });
    world.stream.put(10);
    await clock.advance(3_000);
    const [position] = world.stream.positions;
    expect(position?.kind === "at-timestamp" && position.timestamp.getTime()).toBeLessThanOrEqual(
      WALL_START - 7_200_000,
    );
    expect(world.logs.filter((line) => line.message.includes("is ahead"))).toHaveLength(1);
    expect(world.indexes()).toEqual(upTo(10));
  });

  it("is moved back by two hours at most, and asked for with growing pauses, where Kinesis refuses everything", async () => {
    const clock = new VirtualClock();
    const asked: number[] = [];
    shardWorld({
      clock,
      checkpoint: LATEST,
      prepare: (stream, lease) => {
        lease.startMillis = clock.wallMillis();
        stream.refuses = (position) => {
          if (position.kind === "at-timestamp") asked.push(WALL_START - position.timestamp.getTime());
          return "invalid";
        };
      },
    });
    await clock.advance(600_000);
    expect([...new Set(asked)].map((millis) => millis / 60_000)).toEqual([0, 1, 4, 16, 64, 128]);
    expect(asked.length).toBeLessThan(300);
  });

  it("of a row whose clock was ahead: its second owner loses nothing either, though the first has checkpointed nothing", async () => {
    const clock = new VirtualClock();
    const startMillis = clock.wallMillis() + 30_000;
    const first = shardWorld({
      clock,
      checkpoint: LATEST,
      prepare: (_, lease) => (lease.startMillis = startMillis),
    });
    first.stream.refuses = notToCome(clock);
    await clock.advance(500);
    first.consumer.stop();
    first.stream.put(3);
    await clock.advance(20_000);
    const second = shardWorld({
      clock,
      checkpoint: LATEST,
      deps: { stream: first.stream },
      prepare: (_, lease) => (lease.startMillis = startMillis),
    });
    await clock.advance(20_000);
    expect(second.indexes()).toEqual(upTo(3));
  });

  it("that is refused for a while stays LATEST: the past is not replayed", async () => {
    const world = shardWorld({
      checkpoint: LATEST,
      prepare: (stream) => {
        stream.put(10);
        stream.iteratorFaults.push(...times(4, "not-found"), ...times(4, "invalid"));
      },
    });
    await world.clock.advance(120_000);
    world.stream.put(1);
    await world.clock.advance(5_000);
    expect(world.indexes()).toEqual([11]);
  });

  it("that expires before its first record still brings what was put since, and never begins at a later tip", async () => {
    const world = shardWorld({ checkpoint: LATEST, prepare: (stream) => stream.put(5) });
    await world.clock.advance(100_000);
    world.stream.readFaults.push("throttled", "expired-iterator");
    world.stream.iteratorFaults.push(...times(5, "invalid"));
    await world.clock.advance(1_000);
    world.stream.put(3);
    await world.clock.advance(120_000);
    expect(world.indexes().filter((index) => index > 5)).toEqual([6, 7, 8]);
    expect(world.stream.positions.map(({ kind }) => kind)).toEqual(["latest", "at-timestamp"]);
  });
});

it("a Date that is still to come is waited for: nothing of before it is read, nothing of after it is lost", async () => {
  const date = new Date(WALL_START + 90_000);
  const world = shardWorld({
    checkpoint: { sequenceNumber: "AT_TIMESTAMP", subSequenceNumber: 0 },
    options: { initialPosition: date },
    prepare: (stream, _lease, clock) => {
      stream.refuses = (position) =>
        position.kind === "at-timestamp" && position.timestamp.getTime() > clock.wallMillis()
          ? "invalid"
          : undefined;
    },
  });
  world.stream.put(5);
  await world.clock.advance(91_000);
  world.stream.put(5);
  await world.clock.advance(30_000);
  expect(world.indexes()).toEqual([6, 7, 8, 9, 10]);
  expect(errors(world)).toEqual(["reading fails (invalid): trying again until it works"]);
});
