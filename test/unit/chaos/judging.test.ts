import { describe, expect, test } from "vitest";
import type { HistoryEvent } from "../../../services/contract/history.ts";
import type { Excuse } from "../../chaos/fleet.ts";
import { RepeatCounter } from "../../chaos/repeats.ts";
import type { Row } from "../../chaos/row.ts";
import { firstSaid, saidChecks } from "../../chaos/said.ts";
import { Waits } from "../../chaos/waits.ts";

const SHARD = "shardId-000000000000";
const record = (t: number, worker: string, n: number): HistoryEvent => ({
  ...{ type: "record", t, worker, shardId: SHARD, key: "k", n },
  sequenceNumber: String(n),
});
const put = (t: number, n: number): HistoryEvent => ({
  ...{ type: "put", t, key: "k", n, shardId: SHARD },
  sequenceNumber: String(n),
});

function repeats(events: readonly HistoryEvent[], excuses: readonly Excuse[]) {
  const counter = new RepeatCounter();
  for (const event of events) counter.observe(event);
  const { total, unexplained } = counter.result(excuses, 3_000);
  return { total, unexplained };
}

describe("records processed twice", () => {
  const kill: Excuse = { worker: "w1", from: 10_000, until: 10_000 };

  test("a successor may repeat what came after the last checkpoint of the worker that was killed", () => {
    const history = [record(8_000, "w1", 1), record(15_000, "w2", 1)];
    expect(repeats(history, [kill])).toEqual({ total: 1, unexplained: 0 });
    expect(repeats(history, [])).toEqual({ total: 1, unexplained: 1 });
  });

  test("not what is older, not before the kill, not of another worker", () => {
    expect(repeats([record(6_900, "w1", 1), record(15_000, "w2", 1)], [kill]).unexplained).toBe(1);
    expect(repeats([record(8_000, "w1", 1), record(9_000, "w2", 1)], [kill]).unexplained).toBe(1);
    expect(repeats([record(8_000, "w3", 1), record(15_000, "w2", 1)], [kill]).unexplained).toBe(1);
  });

  test("a worker that was stopped may finish what it had in its hands", () => {
    const pause: Excuse = { worker: "w1", from: 10_000, until: 22_000 };
    expect(repeats([record(15_000, "w2", 1), record(20_500, "w1", 1)], [pause]).unexplained).toBe(0);
    expect(repeats([record(15_000, "w2", 1), record(22_500, "w1", 1)], [pause]).unexplained).toBe(1);
  });

  test("a shard whose checkpoint was deleted may begin anew, another may not", () => {
    const history = [record(1_000, "w1", 1), record(12_000, "w1", 1)];
    expect(repeats(history, [{ shardId: SHARD, from: 10_000, until: 60_000 }]).unexplained).toBe(0);
    expect(repeats(history, [{ shardId: "another", from: 10_000, until: 60_000 }]).unexplained).toBe(1);
  });
});

describe("waiting", () => {
  const waits = (events: readonly HistoryEvent[]) => {
    const seen = new Waits();
    for (const event of events) seen.observe(event);
    return seen;
  };

  test("from the put, or from the healing where that was later, to the first processing", () => {
    const seen = waits([put(1_000, 1), record(9_000, "w1", 1), record(30_000, "w2", 1), put(12_000, 2)]);
    expect(seen.longest(0)).toEqual({ millis: 8_000, shardId: SHARD });
    expect(seen.longest(7_000)?.millis).toBe(2_000);
    expect(seen.longest(10_000)?.millis).toBe(0);
  });

  test("a shard that was halted is counted, not timed", () => {
    const halted: HistoryEvent = { type: "event", t: 5_000, name: "shard-halted", shardId: SHARD };
    const seen = waits([put(1_000, 1), halted, record(90_000, "w1", 1)]);
    expect([seen.longest(0), seen.halted]).toEqual([undefined, 1]);
  });
});

describe("what is said", () => {
  test("the name of the row in a line is not what is asked for", () => {
    const named = { ...row({ says: /denied/ }), name: "table-denied" };
    const during = { troubleAt: 0, stoppingAt: 9_000 };
    const about = { ...line(1, "table table-denied failed"), fields: {} };
    expect(firstSaid([about], during, named)).toBeUndefined();
  });

  const line = (t: number, message: string, level: "warn" | "error" = "warn") => ({
    ...{ t, worker: "w1", level, message, fields: { error: "AccessDeniedException" } },
  });
  const row = (expects: Partial<Row["expects"]>): Row => ({
    ...{ name: "r", group: "table", about: "", run: async () => undefined },
    expects: { doubled: 0, ...expects },
  });

  test("the first fitting line since the beginning, its fields included", () => {
    const during = { troubleAt: 1_000, stoppingAt: 9_000 };
    const lines = [line(900, "early"), line(1_500, "the table cannot be reached")];
    expect(firstSaid(lines, during, row({ says: /denied/i }))).toEqual({
      afterMillis: 500,
      text: "the table cannot be reached",
    });
    expect(firstSaid(lines, during, row({ says: /expired/i }))).toBeUndefined();
    expect(firstSaid([line(9_000, "at the end")], during, row({}))).toBeUndefined();
    expect(firstSaid(lines, { troubleAt: undefined, stoppingAt: undefined }, row({}))).toBeUndefined();
  });

  test.each([
    [undefined, false],
    [{ afterMillis: 30_000, text: "x" }, true],
    [{ afterMillis: 30_001, text: "x" }, false],
  ])("%j within 30 s: %s", (said, ok) => {
    expect(saidChecks(row({ says: /x/ }), [], said).map((check) => check.ok)).toEqual([ok]);
  });

  test("an error where nothing is wrong is a false alarm", () => {
    const checks = (level: "warn" | "error") =>
      saidChecks(row({ noErrors: true }), [line(1, "m", level)], undefined);
    expect([checks("warn")[0]?.ok, checks("error")[0]?.ok]).toEqual([true, false]);
  });
});
