import { describe, expect, it } from "vitest";
import { streamWithDeadlines } from "../../../src/engine/deadlines.ts";
import type { StreamErrorClass } from "../../../src/ports/stream.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import {
  checkpointAt,
  indexOf,
  type LogLine,
  SHARD_ID,
  shard,
  shardWorld,
  TestStream,
  upTo,
} from "./shard-world.ts";

const times = (count: number, problem: StreamErrorClass) => Array<StreamErrorClass>(count).fill(problem);
const said = (logs: readonly LogLine[], level: string) =>
  logs.filter((line) => line.level === level).map((line) => line.message);

describe("a stream in trouble", () => {
  it.each(["throttled", "unavailable", "malformed-answer"] as const)(
    "%s: tries again less and less often, never gives up, loses nothing, and is reported once it lasts",
    async (problem) => {
      const world = shardWorld({
        prepare: (stream) => {
          stream.put(5);
          stream.readFaults.push(...times(60, problem));
          stream.iteratorFaults.push(...times(3, problem));
        },
      });
      await world.clock.advance(60_000);
      const early = world.stream.reads.length;
      await world.clock.until(() => world.delivered.length === 5, 3_600_000, 1_000);
      expect(early).toBeLessThan(40);
      expect(world.indexes()).toEqual(upTo(5));
      const starts = world.stream.reads.map((read) => read.at);
      for (const [index, start] of starts.entries()) {
        const pause = start - (starts[index - 1] ?? Number.NEGATIVE_INFINITY);
        expect(pause).toBeGreaterThanOrEqual(200);
        if (index > 0) expect(pause).toBeLessThanOrEqual(10_200);
      }
      expect(said(world.logs, "error")).toEqual([]);
      // One line every five minutes, and one when the failure is over.
      const warnings = said(world.logs, "warn");
      expect(warnings.length).toBeLessThanOrEqual(world.clock.now / 300_000 + 2);
      expect(warnings[0]).toContain(`reading fails (${problem})`);
      expect(warnings.at(-1)).toBe("reading works again");
    },
  );

  it("a fault of less than five seconds is not worth a line, and is counted", async () => {
    const world = shardWorld({ prepare: (stream) => stream.put(5) });
    await world.clock.advance(1_500);
    world.stream.readFaults.push("throttled", "unavailable");
    await world.clock.advance(30_000);
    expect(world.logs).toEqual([]);
    expect(
      world.metrics.filter(({ name, operation }) => name === "Errors" && operation === "reading"),
    ).toHaveLength(2);
  });

  it.each(["denied", "unauthenticated", "expired-credentials", "encryption"] as const)(
    "%s for an hour: reported at once, retried for ever, and the position never moves",
    async (problem) => {
      const world = shardWorld({
        checkpoint: checkpointAt(3),
        prepare: (stream) => {
          stream.put(500);
          stream.refuses = () => (world.clock.now < 3_600_000 ? problem : undefined);
        },
      });
      await world.clock.advance(1_000);
      expect(said(world.logs, "error")).toEqual([`reading fails (${problem}): trying again until it works`]);
      await world.clock.advance(3_600_000);
      await world.clock.until(() => world.delivered.length === 497, 20_000);
      expect(world.stream.positions).toEqual([
        { kind: "at-sequence-number", sequenceNumber: checkpointAt(3).sequenceNumber },
      ]);
      expect(world.indexes()).toEqual(upTo(500).slice(3));

      // The same while it reads: no record that was read is fetched again.
      world.stream.put(3);
      world.stream.readFaults.push(...times(20, problem));
      await world.clock.until(() => world.delivered.length === 500, 600_000);
      expect(world.stream.positions).toHaveLength(1);
      expect(world.stream.reads.reduce((sum, read) => sum + read.count, 0)).toBe(501);
      expect(world.consumer.status().lastReadError).toMatchObject({ source: "reading", errorClass: problem });
    },
  );

  it("fifty shards that are denied are one line", async () => {
    const first = shardWorld({ prepare: (stream) => stream.readFaults.push(...times(50, "denied")) });
    for (let n = 1; n < 50; n += 1) {
      shardWorld({
        clock: first.clock,
        deps: { reports: first.reports },
        prepare: (stream) => stream.readFaults.push(...times(50, "denied")),
      });
    }
    await first.clock.advance(60_000);
    expect(said(first.logs, "error")).toHaveLength(1);
  });

  it("a lease that is handed over while reading fails leaves no failure behind", async () => {
    const world = shardWorld({ prepare: (stream) => stream.readFaults.push(...times(1_000, "denied")) });
    await world.clock.advance(30_000);
    expect(world.reports.current).toMatchObject([{ source: "reading", errorClass: "denied" }]);
    world.consumer.drain();
    await world.clock.advance(1_000);
    expect(world.outcome?.kind).toBe("drained");
    expect(world.reports.current).toEqual([]);
    expect(said(world.logs, "warn")).toEqual([]);
  });

  it("a call that is never answered is given up at the engine's deadline, and made again", async () => {
    const clock = new VirtualClock();
    const stream = new TestStream(clock);
    stream.put(5);
    stream.mute = 2;
    const world = shardWorld({ clock, deps: { stream: streamWithDeadlines(stream, clock, 10_000) } });
    await clock.advance(24_000);
    expect(world.delivered).toEqual([]);
    await clock.advance(4_000);
    expect(world.indexes()).toEqual(upTo(5));
    expect(world.consumer.status().lastReadError?.message).toContain("GetRecords: no answer");
  });

  it("an expired iterator is replaced at once by one after the last record read", async () => {
    const world = shardWorld({
      prepare: (stream) => stream.put(5),
      handler: (_, { clock, calls }) => clock.sleep(calls.length === 1 ? 400_000 : 0),
    });
    await world.clock.advance(1_000);
    world.stream.put(5);
    world.stream.readFaults.push("expired-iterator");
    await world.clock.advance(500_000);
    expect(world.indexes()).toEqual(upTo(10));
    // The injected one, and the one that expired while the handler was busy.
    expect(world.stream.positions.slice(1)).toEqual(
      [5, 10].map((n) => ({
        kind: "after-sequence-number",
        sequenceNumber: checkpointAt(n).sequenceNumber,
      })),
    );
    expect(world.metrics.filter((metric) => metric.name === "ExpiredIterator").length).toBe(2);
    expect(world.logs.filter(({ message }) => !message.includes("running for long"))).toEqual([]);
  });

  it("an iterator that came of age during an outage is replaced at once, whatever failed before", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.put(3);
        stream.readFaults.push(...times(20, "unavailable"), "expired-iterator");
      },
    });
    await world.clock.until(() => world.delivered.length === 3, 600_000);
    const [expired, next] = world.stream.reads.slice(20);
    expect(next!.at - expired!.at).toBeLessThan(300);
    expect(
      Math.max(...world.stream.reads.map(({ at }, index, all) => at - (all[index - 1]?.at ?? 0))),
    ).toBeLessThan(5_100);
  });

  it("iterators that expire as soon as they are given out are asked for less and less often", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.put(3);
        stream.readFaults.push(...times(20, "expired-iterator"));
      },
    });
    await world.clock.advance(10_000);
    expect(world.stream.reads.length).toBeLessThan(12);
    await world.clock.until(() => world.delivered.length === 3, 600_000, 1_000);
    expect(said(world.logs, "warn")[0]).toContain("reading fails");
  });

  it("an answer that was lost is read again from the same place", async () => {
    const world = shardWorld({ options: { maxRecords: 3 }, prepare: (stream) => stream.put(9) });
    world.stream.readFaults.push(undefined, "unavailable", undefined, "unavailable");
    await world.clock.advance(30_000);
    expect(world.delivered.map(indexOf)).toEqual(upTo(9));
  });
});

describe("a shard that is not found", () => {
  it("but listed is tried again and not taken for ended", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.put(3);
        stream.iteratorFaults.push(...times(30, "not-found"));
      },
    });
    await world.clock.until(() => world.delivered.length === 3, 3_600_000, 1_000);
    expect(world.outcome).toBeUndefined();
    expect(world.stream.listings).toBe(30);
  });

  it("and forgotten by the listing for less than a minute is not taken for ended", async () => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.shards = [shard("shardId-000000000009")];
        stream.put(3);
        stream.iteratorFaults.push(...times(6, "not-found"));
      },
    });
    await world.clock.until(() => world.delivered.length === 3, 60_000);
    expect(world.outcome).toBeUndefined();
  });

  it("and stays out of the listings for a minute is gone: ended, with its children, loudly", async () => {
    const children = [shard("shardId-000000000001", [SHARD_ID])];
    const world = shardWorld({
      prepare: (stream) => {
        stream.shards = children;
        stream.iteratorFaults.push(...times(1_000, "not-found"));
      },
    });
    await world.clock.advance(59_000);
    expect(world.outcome).toBeUndefined();
    await world.clock.advance(30_000);
    expect(world.outcome).toMatchObject({ kind: "ended", children });
    expect(said(world.logs, "error").some((line) => line.includes("no longer in the stream"))).toBe(true);
  });

  it.each<[string, StreamErrorClass]>([
    ["a listing that is none", "malformed-answer"],
    ["a listing that fails", "denied"],
    ["a stream that is gone", "not-found"],
  ])("%s proves nothing about it, and is reported", async (_, problem) => {
    const world = shardWorld({
      prepare: (stream) => {
        stream.shards = [];
        stream.listingFaults.push(...times(1_000, problem));
        stream.iteratorFaults.push(...times(1_000, "not-found"));
      },
    });
    await world.clock.advance(600_000);
    expect(world.outcome).toBeUndefined();
    const failing = world.reports.current.map(({ source, errorClass }) => `${source}: ${errorClass}`);
    expect(failing).toContain("reading: not-found");
    if (problem === "not-found") {
      expect(world.consumer.status().lastReadError?.message).toContain("the stream does not exist");
    } else expect(failing).toContain(`stream listing: ${problem}`);
  });
});
