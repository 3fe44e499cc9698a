/**
 * How long the event loop was blocked: measured, reported, attributed. Virtual time; failover time 10 s, a
 * pulse every 0.5 s.
 */
import { describe, expect, it } from "vitest";
import { LoopWatch } from "../../../src/engine/loop-watch.ts";
import { noMetrics } from "../../../src/ports/metrics.ts";
import { Prng } from "../../simulation/world/prng.ts";
import { Scheduler } from "../../simulation/world/scheduler.ts";
import { SimProcess } from "../../simulation/world/sim-clock.ts";

const FAILOVER_MILLIS = 10_000;

function setup() {
  const scheduler = new Scheduler(new Prng(1));
  const process = new SimProcess("w1", scheduler);
  const { clock } = process;
  const lines: { fields: Record<string, unknown>; message: string }[] = [];
  const warn = (fields: object, message: string) =>
    void lines.push({ fields: fields as Record<string, unknown>, message });
  const measured: number[] = [];
  const nothing = () => undefined;
  const loop = new LoopWatch(
    {
      clock,
      logger: { debug: nothing, info: nothing, warn, error: warn },
      metrics: {
        ...noMetrics,
        record: (name, value, unit, dimensions) => {
          expect([name, unit, dimensions]).toEqual([
            "EventLoopBlockedMillis",
            "Milliseconds",
            { Operation: "Worker" },
          ]);
          measured.push(value);
        },
      },
    },
    FAILOVER_MILLIS,
  );
  const over = new AbortController();
  void loop.run(over.signal);
  const run = (millis: number) => scheduler.run(scheduler.now + millis);
  /** Like a synchronous function that is called now. */
  const block = async (millis: number) => {
    void process.block(millis, () => undefined);
    await run(millis + 1);
  };
  return { scheduler, process, clock, lines, measured, loop, over, run, block };
}

describe("the watch over the event loop", () => {
  it("measures nothing while pulses come in time, and records that", async () => {
    const { loop, measured, lines, run } = setup();
    await run(60_000);
    loop.measure();
    expect(measured).toEqual([0]);
    expect(lines).toEqual([]);
    expect(loop.status()).toEqual({
      longestBlockMillis: 0,
      lastBlockedMillis: undefined,
      failoverTimeMillis: FAILOVER_MILLIS,
    });
  });

  it("measures a block to within a pulse, and records the longest since the last time", async () => {
    const { loop, measured, run, block } = setup();
    await run(10_100);
    await block(2_000);
    await run(3_000);
    await block(1_000);
    loop.measure();
    await run(1_000);
    loop.measure();
    expect(measured[0]).toBeGreaterThan(1_500);
    expect(measured[0]).toBeLessThanOrEqual(2_000);
    expect(measured[1]).toBe(0);
  });

  it("measures a process that is stopped", async () => {
    const { loop, process, lines, run } = setup();
    await run(1_000);
    process.pause();
    await run(15_000);
    process.resume();
    await run(1_000);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.message).toContain("blocked or paused");
    expect(lines[0]?.message).toContain("no handler was under way");
    expect(loop.failoverTimeMillis).toBeGreaterThan(38_000);
  });

  it("warns from a third of the failover time on: once, then seldom, with how often and how long", async () => {
    const { lines, run, block } = setup();
    await block(3_000);
    expect(lines).toEqual([]);
    for (let index = 0; index < 10; index++) {
      await block(4_000);
      await run(26_000);
    }
    expect(lines).toHaveLength(1);
    expect(lines[0]?.fields).toMatchObject({ failoverTimeMillis: FAILOVER_MILLIS, blocks: 1, of: 0 });
    await block(4_000);
    expect(lines).toHaveLength(2);
    expect(lines[1]?.fields).toMatchObject({ blocks: 10 });
  });

  it("warns at once of a block twice as long", async () => {
    const { lines, run, block } = setup();
    await block(4_000);
    await run(5_000);
    await block(12_000);
    expect(lines).toHaveLength(2);
  });

  it("names the shards whose handlers were under way", async () => {
    const { loop, lines, block, run } = setup();
    await run(700);
    const call = loop.callBegins("shard-7");
    await block(5_000);
    call.over();
    await run(1_000);
    expect(lines[0]?.fields).toMatchObject({ shards: ["shard-7"], of: 1 });
  });

  it("owes a heartbeat after a block when one is due, until one that was sent later is answered", async () => {
    const { loop, clock, run, process, scheduler } = setup();
    await run(5_000);
    const sentMillis = clock.monotonicMillis();
    await run(4_000);
    expect(loop.owesHeartbeat(sentMillis)).toBe(false);
    // One short block leaves enough time. Blocks that add up to a third of the failover time do not.
    void process.block(2_000, () => undefined);
    expect(loop.owesHeartbeat(sentMillis)).toBe(false);
    await scheduler.run(scheduler.now + 2_500);
    // Checked at the same moment, before any timer: promise chains run first.
    void process.block(2_000, () => undefined);
    expect(loop.owesHeartbeat(sentMillis)).toBe(true);
    await scheduler.run(scheduler.now + 3_000);
    expect(loop.owesHeartbeat(sentMillis)).toBe(true);
    expect(loop.owesHeartbeat(clock.monotonicMillis())).toBe(false);
  });

  it("publishes at once what a block needs that has only just ended", async () => {
    const { loop, process, run } = setup();
    await run(1_000);
    void process.block(12_000, () => undefined);
    expect(loop.failoverTimeMillis).toBeGreaterThan(32_000);
  });

  it("does not count one shard's synchronous handler against another's", async () => {
    const { loop, process, run } = setup();
    await run(700);
    const slow = loop.callBegins("asynchronous");
    slow.returned();
    const held = loop.callBegins("synchronous");
    void process.block(5_000, () => undefined);
    held.returned();
    expect(held.over()).toBeCloseTo(5_000);
    await run(6_000);
    expect(slow.over()).toBeLessThan(500);
  });

  it("counts what came right before a call's end as its own", async () => {
    const { loop, process, run } = setup();
    await run(700);
    const [one, other] = [loop.callBegins("one"), loop.callBegins("other")];
    one.returned();
    other.returned();
    await run(100);
    void process.block(5_000, () => undefined);
    expect(one.over()).toBeGreaterThan(4_500);
    await run(6_000);
    expect(other.over()).toBeLessThan(500);
  });

  it("says when most of the last minute was blocked", async () => {
    const { loop, block, run } = setup();
    for (let index = 0; index < 4; index++) {
      await block(9_000);
      await run(1_000);
    }
    expect(loop.oftenBlockedMillis).toBeGreaterThan(30_000);
    await run(60_000);
    expect(loop.oftenBlockedMillis).toBeUndefined();
  });

  it("ends with the worker: no timer is left", async () => {
    const { over, run, scheduler } = setup();
    await run(10_000);
    over.abort();
    await run(1);
    const { steps } = scheduler;
    await run(600_000);
    expect(scheduler.steps).toBe(steps);
  });
});
