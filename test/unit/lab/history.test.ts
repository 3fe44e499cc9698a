import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KeyColumns } from "../../../lab/history/key-columns.ts";
import { LeaseTimeline, loadsOf, settledAt } from "../../../lab/history/lease-timeline.ts";
import { mergeHistory } from "../../../lab/history/merge.ts";
import { parseHistoryLine } from "../../../lab/history/parse.ts";
import { readHistory } from "../../../lab/history/read.ts";
import type { HistoryEvent } from "../../../services/contract/history.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "history-"));
});
afterEach(() => rm(folder, { recursive: true }));

const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(folder, name), text);
  return join(folder, name);
};
const mark = (t: number, name: string): HistoryEvent => ({ type: "event", t, name });
const lines = (...events: HistoryEvent[]): string =>
  events.map((event) => `${JSON.stringify(event)}\n`).join("");

async function merged(...files: string[]) {
  const seen: HistoryEvent[] = [];
  const notes = await mergeHistory(files, join(folder, "out.jsonl"), (event) => seen.push(event));
  return { notes, seen, text: await readFile(join(folder, "out.jsonl"), "utf8") };
}

describe("merging history files", () => {
  it("orders lines of several files by time, and writes what it shows", async () => {
    const a = await file("a.jsonl", lines(mark(1, "a1"), mark(5, "a5")));
    const b = await file("b.jsonl", lines(mark(2, "b2"), mark(9, "b9")));
    const { seen, text } = await merged(a, b);
    expect(seen.map((event) => event.t)).toEqual([1, 2, 5, 9]);
    expect(text).toBe(lines(...seen));
  });

  it("never reorders the lines of one process, even if its clock stepped back", async () => {
    const a = await file("a.jsonl", lines(mark(10, "first"), mark(4, "second"), mark(12, "third")));
    const b = await file("b.jsonl", lines(mark(11, "other")));
    const { seen } = await merged(a, b);
    expect(seen.map((event) => event.type === "event" && event.name)).toEqual([
      "first",
      "second",
      "other",
      "third",
    ]);
  });

  it("names a corrupt line by file and number and goes on behind it", async () => {
    const a = await file(
      "a.jsonl",
      `${lines(mark(1, "a"))}{"type":"put","t":2}\nnonsense\n${lines(mark(3, "b"))}`,
    );
    const { notes, seen } = await merged(a);
    expect(seen).toHaveLength(2);
    expect(notes).toMatchObject({ lines: 2, corruptLines: 2, halfWritten: [] });
    expect(notes.corrupt.map(({ line, problem }) => [line, problem])).toEqual([
      [2, "key of a put line is not a string"],
      [3, "not JSON"],
    ]);
  });

  it("tolerates and counts the half-written last line of a killed process", async () => {
    const a = await file("a.jsonl", `${lines(mark(1, "a"))}{"type":"event","t":2,"na`);
    const { notes, seen } = await merged(a);
    expect(seen).toHaveLength(1);
    expect(notes).toMatchObject({ corruptLines: 0, halfWritten: [a] });
  });

  it("takes a whole last line without its newline", async () => {
    const a = await file("a.jsonl", lines(mark(1, "a"), mark(2, "b")).trimEnd());
    const { notes, seen } = await merged(a);
    expect(seen).toHaveLength(2);
    expect(notes.halfWritten).toEqual([]);
  });

  it("keeps characters that fall on the border of two chunks", async () => {
    const events = Array.from({ length: 6_000 }, (_, i) => mark(i, `schöne Grüße ${i} ✓`));
    const a = await file("a.jsonl", lines(...events));
    const { seen } = await merged(a);
    expect(seen).toEqual(events);
  });

  it("rejects when a file is missing", async () => {
    await expect(merged(join(folder, "nowhere.jsonl"))).rejects.toThrow("nowhere.jsonl");
  });
});

describe("reading one history", () => {
  it("throws on a corrupt line with file, line number and what was expected", async () => {
    const a = await file("a.jsonl", `${lines(mark(1, "a"))}nonsense\n`);
    const read = async () => {
      for await (const _event of readHistory(a));
    };
    await expect(read()).rejects.toThrow("a.jsonl:2: not JSON; expected one JSON object a line");
  });
});

describe("a history line", () => {
  it.each([
    ['{"type":"else","t":1}', 'unknown type "else"'],
    ['{"type":"event","name":"x"}', "t is not a number"],
    [
      '{"type":"record","t":1,"worker":"w","shardId":"s","key":"k","n":0,"sequenceNumber":"1"}',
      "n of a record line is not a count",
    ],
    [
      '{"type":"lease","t":1,"worker":"w","leaseKey":"s","action":"stolen","reason":""}',
      'unknown lease action "stolen"',
    ],
    ["[]", "unknown type undefined"],
    ["7", "not an object"],
  ])("%s: %s", (line, problem) => {
    expect(parseHistoryLine(line)).toEqual({ problem });
  });
});

describe("the lease timeline", () => {
  const timeline = (...samples: [number, Record<string, string | null>, string[]?][]): LeaseTimeline => {
    const result = new LeaseTimeline();
    for (const [t, owners, ended = []] of samples) {
      const checkpoints = Object.fromEntries(
        Object.keys(owners).map((key) => [key, ended.includes(key) ? "SHARD_END" : "7"]),
      );
      result.observe({ type: "leases", t, owners, checkpoints });
    }
    return result;
  };

  it("does not count ended leases and children that wait for a parent", () => {
    const table = timeline([
      1,
      { parent: "a", left: null, right: null, done: null, other: "b" },
      ["done"],
    ]).tableAt(1);
    const loads = loadsOf(table, { left: ["parent"], right: ["parent", "gone"], other: ["gone"] });
    expect([...loads.byWorker]).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
    expect(loads.unowned).toEqual([]);
  });

  it("counts a child as unowned once all its parents ended", () => {
    const table = timeline(
      [1, { one: null, two: "a", merged: null }, ["one"]],
      [2, { one: null, two: null, merged: null }, ["one", "two"]],
    );
    const parents = { merged: ["one", "two"] };
    expect(loadsOf(table.tableAt(1), parents).unowned).toEqual([]);
    expect(loadsOf(table.tableAt(2), parents).unowned).toEqual(["merged"]);
  });

  it("is settled from the last time it became even, not the first", () => {
    const samples = timeline(
      [10, { x: "a", y: "a" }],
      [20, { x: "a", y: "b" }],
      [30, { x: "a", y: "a" }],
      [40, { x: "b", y: "a" }],
    );
    const window = { from: 0, until: 100 };
    expect(settledAt(samples, {}, window, [1, 1])).toBe(40);
    expect(settledAt(samples, {}, { from: 0, until: 30 }, [1, 1])).toBe(20);
    expect(settledAt(samples, {}, { from: 0, until: 40 }, [1, 1])).toBeUndefined();
    expect(settledAt(samples, {}, { from: 55, until: 100 }, [1, 1])).toBe(55);
  });

  it("takes the workers' own lease lines until the first sample, and only until then", () => {
    const samples = new LeaseTimeline();
    const lease = (
      t: number,
      worker: string,
      leaseKey: string,
      action: "claimed" | "received" | "handed-over",
    ) => samples.observeLease({ type: "lease", t, worker, leaseKey, action, reason: "test" });
    lease(10, "a", "x", "claimed");
    lease(11, "a", "y", "claimed");
    lease(20, "b", "y", "received");
    lease(21, "a", "y", "handed-over");
    samples.observe({ type: "leases", t: 900, owners: { x: "a", y: "b" }, checkpoints: {} });
    lease(950, "b", "x", "received");
    expect(settledAt(samples, {}, { from: 5, until: 1_000 }, [1, 1])).toBe(20);
  });

  it("forgets a row that was removed", () => {
    const samples = timeline([1, { x: "a", y: "a" }], [2, { y: "a" }]);
    expect([...samples.tableAt(2).keys()]).toEqual(["y"]);
  });
});

describe("key columns", () => {
  it("hold a number per key and n", () => {
    const columns = new KeyColumns();
    columns.set("k", 200, 3);
    columns.set("k", 2, 5);
    expect([
      columns.get("k", 200),
      columns.get("k", 2),
      columns.get("k", 3),
      columns.get("other", 1),
    ]).toEqual([3, 5, 0, 0]);
    expect(columns.highestOf("k")).toBe(200);
  });
});
