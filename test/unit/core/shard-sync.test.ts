import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { beginApplication, type InitialPosition } from "../../../src/core/application.ts";
import {
  AT_TIMESTAMP,
  isEnded,
  LATEST,
  type Lease,
  SHARD_END,
  sentinel,
  TRIM_HORIZON,
} from "../../../src/core/lease.ts";
import { type LeaseTable, missingParents, tableOf } from "../../../src/core/lineage.ts";
import { childLease, completedLeases, missingLeases, uncovered } from "../../../src/core/shard-sync.ts";
import { at, ENDED, PaperStream, row } from "./rows.ts";

const EMPTY: LeaseTable = new Map();
const NOW = 1_700_000_000_000;
/** An application that begins on the stream as it is now. */
const began = (position: InitialPosition, stream: PaperStream = new PaperStream(1)) =>
  beginApplication(position, undefined, { leases: [], shards: stream.shards }, NOW);
const FROM_START = began("TRIM_HORIZON");
/** `[["s0"], ["s1 TRIM_HORIZON"]]`: each generation's leases with their checkpoints. */
const listed = (levels: readonly (readonly Lease[])[]) =>
  levels.map((level) => level.map((l) => `${l.leaseKey} ${l.checkpoint.sequenceNumber}`));
const names = (levels: readonly (readonly Lease[])[]) => levels.map((level) => level.map((l) => l.leaseKey));
const rowsOf = (stream: PaperStream, rest: Partial<Lease> = {}) =>
  stream.shards.map((s) =>
    row(s.shardId, { parentShardIds: s.parentShardIds, hashRange: s.hashRange, ...rest }),
  );

describe("a table that is still empty", () => {
  it.each<[InitialPosition, string]>([
    ["TRIM_HORIZON", TRIM_HORIZON],
    ["LATEST", LATEST],
    [new Date(0), AT_TIMESTAMP],
  ])("gets a lease for every shard at the initial position %s", (initial, checkpoint) => {
    const stream = new PaperStream(2);
    expect(listed(missingLeases(stream.shards, EMPTY, began(initial, stream)))).toEqual([
      [`s0 ${checkpoint}`, `s1 ${checkpoint}`],
    ]);
  });

  it.each<[InitialPosition, number | undefined]>([
    ["TRIM_HORIZON", undefined],
    ["LATEST", NOW],
    [new Date(5), 5],
  ])(
    "notes when %s begins, for whoever reads the shard first and for later owners",
    (initial, startMillis) => {
      const stream = new PaperStream(2);
      const levels = missingLeases(stream.shards, EMPTY, began(initial, stream));
      expect(levels.flat().map((lease) => lease.startMillis)).toEqual([startMillis, startMillis]);
    },
  );

  it("with LATEST gets none for shards closed before: nobody asked for what is in them", () => {
    const stream = new PaperStream(1);
    stream.split("s0");
    expect(listed(missingLeases(stream.shards, EMPTY, began("LATEST", stream)))).toEqual([
      ["s1 LATEST", "s2 LATEST"],
    ]);
  });

  it("with TRIM_HORIZON gets the closed ones too, one generation after another", () => {
    const stream = new PaperStream(1);
    stream.split("s0");
    stream.split("s1");
    expect(names(missingLeases(stream.shards, EMPTY, FROM_START))).toEqual([
      ["s0"],
      ["s1", "s2"],
      ["s3", "s4"],
    ]);
  });

  it("at a date starts the children there too: their parents may lie wholly before it", () => {
    const stream = new PaperStream(1);
    stream.split("s0");
    const levels = missingLeases(stream.shards, EMPTY, began(new Date(0), stream));
    expect(new Set(levels.flat().map((l) => l.checkpoint.sequenceNumber))).toEqual(new Set([AT_TIMESTAMP]));
  });

  it("writes down parents and hash ranges, and no owner", () => {
    const stream = new PaperStream(2);
    const child = stream.merge("s0", "s1");
    const lease = missingLeases(stream.shards, EMPTY, FROM_START).flat().at(-1)!;
    expect(lease).toMatchObject({
      leaseKey: "s2",
      parentShardIds: ["s0", "s1"],
      owner: undefined,
      counter: 0,
    });
    expect(lease.hashRange).toEqual(child.hashRange);
  });
});

describe("a reshard after the start", () => {
  it.each<[InitialPosition, string]>([
    ["TRIM_HORIZON", "TRIM_HORIZON"],
    ["LATEST", "TRIM_HORIZON"],
    [new Date(0), "AT_TIMESTAMP"],
  ])("children of an application that started at %s start at %s", (initial, start) => {
    const stream = new PaperStream(2);
    const application = began(initial, stream);
    const before = tableOf(rowsOf(stream, { checkpoint: at("5") }));
    stream.split("s1");
    expect(listed(missingLeases(stream.shards, before, application))).toEqual([
      [`s2 ${start}`, `s3 ${start}`],
    ]);
  });

  it("two generations found at once: the parents first", () => {
    const stream = new PaperStream(1);
    const before = tableOf(rowsOf(stream, { checkpoint: at("5") }));
    stream.split("s0");
    stream.split("s2");
    expect(names(missingLeases(stream.shards, before, FROM_START))).toEqual([
      ["s1", "s2"],
      ["s3", "s4"],
    ]);
  });

  it("a merge has two parents, and comes after the later of them", () => {
    const stream = new PaperStream(2);
    const before = tableOf(rowsOf(stream, { checkpoint: at("5") }));
    stream.split("s1"); // s2, s3
    stream.merge("s0", "s2"); // s4
    expect(names(missingLeases(stream.shards, before, FROM_START))).toEqual([["s2", "s3"], ["s4"]]);
  });

  it("an ancestor that was completed and cleaned up is not made anew, however far up", () => {
    const stream = new PaperStream(1);
    stream.split("s0"); // s1, s2
    stream.split("s1"); // s3, s4
    const started = { checkpoint: at("7"), counter: 3 };
    const grandchildrenOnly = tableOf([row("s3"), row("s4", started), row("s2", started)]);
    expect(missingLeases(stream.shards, grandchildrenOnly, FROM_START)).toEqual([]);
  });

  it("a parent whose row was removed by hand is made anew, while no worker has taken a child", () => {
    const stream = new PaperStream(1);
    const [left, right] = stream.split("s0").map((child) => childLease(child, FROM_START));
    expect(names(missingLeases(stream.shards, tableOf([left!, right!]), FROM_START))).toEqual([["s0"]]);
    // A child that was taken shows that its parent had ended. Its sibling may start.
    for (const taken of [{ owner: "w", counter: 1 }, { counter: 4 }, { checkpoint: at("9") }, ENDED]) {
      const made = missingLeases(stream.shards, tableOf([{ ...left!, ...taken }, right!]), FROM_START);
      expect(made).toMatchObject([[{ leaseKey: "s0", ...ENDED }]]);
    }
    // If an application existed before its beginning was noted, only later shards are known to have had a
    // parent.
    const late = beginApplication("TRIM_HORIZON", undefined, { leases: [left!], shards: stream.shards }, NOW);
    expect(missingLeases(stream.shards, tableOf([left!, right!]), late)).toEqual([]);
  });

  it("a child whose row is missing although its sibling's is there gets one", () => {
    const stream = new PaperStream(1);
    stream.split("s0");
    expect(names(missingLeases(stream.shards, tableOf([row("s0"), row("s1")]), FROM_START))).toEqual([
      ["s2"],
    ]);
  });

  it("a parent that the stream lists no more gets a row that lets its children go", () => {
    const stream = new PaperStream(1);
    stream.split("s0");
    const trimmed = stream.shards.filter((s) => s.shardId !== "s0");
    const [first, ...rest] = missingLeases(trimmed, tableOf([row("other")]), FROM_START);
    expect(names(rest)).toEqual([["s1", "s2"]]);
    expect(first).toMatchObject([
      { leaseKey: "s0", ...ENDED, childShardIds: ["s1", "s2"], owner: undefined },
    ]);
    const table = tableOf([first!, ...rest].flat());
    expect(missingParents(table, FROM_START).size).toBe(0);
    const started = [...table.values()].map((l) => (isEnded(l) ? l : { ...l, checkpoint: at("7") }));
    expect(completedLeases(tableOf(started)).map(({ leaseKey }) => leaseKey)).toEqual(["s0"]);
  });

  it("no row is made for a parent that was trimmed away before the application began", () => {
    const stream = new PaperStream(1);
    stream.split("s0");
    const trimmed = stream.shards.filter((s) => s.shardId !== "s0");
    const application = beginApplication("TRIM_HORIZON", undefined, { leases: [], shards: trimmed }, NOW);
    expect(names(missingLeases(trimmed, EMPTY, application))).toEqual([["s1", "s2"]]);
  });

  it("the parent's reader makes the very row that the listing would make", () => {
    const stream = new PaperStream(1);
    const application = began("LATEST", stream);
    const before = tableOf(rowsOf(stream, { checkpoint: at("5") }));
    const children = stream.split("s0");
    const made = children.map((child) => childLease(child, application));
    expect(missingLeases(stream.shards, before, application)).toEqual([made]);
  });
});

describe("first rows that could not all be made (LATEST, Date)", () => {
  /** Four open shards, each of which names a parent that is closed or trimmed. */
  const resharded = () => {
    const stream = new PaperStream(2);
    stream.split("s0"); // s2, s3
    stream.split("s1"); // s4, s5
    return stream;
  };
  const OPEN = ["s2", "s3", "s4", "s5"];

  it.each<InitialPosition>(["LATEST", new Date(5)])("%s holds for those that are made later", (position) => {
    const stream = resharded();
    const application = began(position, stream);
    const all = missingLeases(stream.shards, EMPTY, application).flat();
    for (let made = 1; made < all.length; made++) {
      const rest = missingLeases(stream.shards, tableOf(all.slice(0, made)), application).flat();
      for (const lease of rest) expect(all).toContainEqual(lease);
    }
  });

  it("LATEST: what was closed before the beginning gets no row, then or later", () => {
    const stream = resharded();
    const application = began("LATEST", stream);
    expect(names(missingLeases(stream.shards, EMPTY, application))).toEqual([OPEN]);
    const one = tableOf([row("s2")]);
    expect(names(missingLeases(stream.shards, one, application)).flat()).toEqual(OPEN.slice(1));
  });

  it("LATEST: a shard that is split before its row is made is read from the beginning's moment on", () => {
    const stream = resharded();
    const application = began("LATEST", stream);
    stream.split("s2"); // s6, s7
    expect(listed(missingLeases(stream.shards, EMPTY, application))).toEqual([
      ["s2 LATEST", "s3 LATEST", "s4 LATEST", "s5 LATEST"],
      ["s6 TRIM_HORIZON", "s7 TRIM_HORIZON"],
    ]);
  });

  it("an application that began before it kept its beginning goes on as its rows say", () => {
    const latest = { checkpoint: sentinel(LATEST), startMillis: NOW - 5_000 };
    const stream = resharded();
    const table = { leases: [row("s2", latest), row("s3", { checkpoint: at("7") })], shards: stream.shards };
    const application = beginApplication("LATEST", undefined, table, NOW);
    expect(application).toMatchObject({ startMillis: NOW - 5_000, isNotedLate: true });
    const rest = missingLeases(stream.shards, tableOf(table.leases), application).flat();
    expect(rest.map(({ leaseKey, startMillis }) => [leaseKey, startMillis])).toEqual([
      ["s4", NOW - 5_000],
      ["s5", NOW - 5_000],
    ]);
  });
});

type Reshard = { readonly kind: "split" | "merge"; readonly which: number };
const reshards = fc.array(
  fc.record({ kind: fc.constantFrom<Reshard["kind"]>("split", "split", "merge"), which: fc.nat() }),
  { maxLength: 15 },
);

function perform(stream: PaperStream, { kind, which }: Reshard): void {
  const sorted = stream.open.toSorted((a, b) => (a.hashRange.start < b.hashRange.start ? -1 : 1));
  const index = which % sorted.length;
  const [shard, next] = [sorted[index]!, sorted[index + 1]];
  if (kind === "split") stream.split(shard.shardId);
  else if (next) stream.merge(shard.shardId, next.shardId);
}

describe("for any stream", () => {
  it("every open shard gets a lease, parents come first, and a second look finds nothing missing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), reshards, reshards, (count, earlier, later) => {
        const stream = new PaperStream(count);
        for (const reshard of earlier) perform(stream, reshard);
        const table = new Map(
          missingLeases(stream.shards, EMPTY, FROM_START)
            .flat()
            .map((l) => [l.leaseKey, l]),
        );
        for (const reshard of later) perform(stream, reshard);
        for (const level of missingLeases(stream.shards, table, FROM_START)) {
          for (const lease of level) {
            expect(table.has(lease.leaseKey)).toBe(false);
            expect(lease.parentShardIds.every((p) => table.has(p))).toBe(true);
          }
          for (const lease of level) table.set(lease.leaseKey, lease);
        }
        expect(stream.open.every((s) => table.has(s.shardId))).toBe(true);
        expect(missingLeases(stream.shards, table, FROM_START)).toEqual([]);
        expect(uncovered(stream.shards, table)).toEqual([]);
      }),
    );
  });

  it("reading to the end and cleaning up never brings a lease back, and leaves every open shard's", () => {
    fc.assert(
      fc.property(reshards, fc.infiniteStream(fc.boolean()), (changes, coin) => {
        const stream = new PaperStream(2);
        const table = new Map<string, Lease>();
        const cleaned = new Set<string>();
        for (const reshard of changes) {
          for (const lease of missingLeases(stream.shards, table, FROM_START).flat()) {
            expect(cleaned.has(lease.leaseKey)).toBe(false);
            table.set(lease.leaseKey, lease);
          }
          for (const lease of table.values()) {
            const readable = lease.parentShardIds.every((p) => !table.has(p) || isEnded(table.get(p)!));
            if (isEnded(lease) || !readable || !coin.next().value) continue;
            const children = stream.shards.filter((s) => s.parentShardIds.includes(lease.leaseKey));
            if (children.length > 0 && children.every((c) => table.has(c.shardId)))
              table.set(lease.leaseKey, {
                ...lease,
                ...ENDED,
                childShardIds: children.map((c) => c.shardId),
              });
            else table.set(lease.leaseKey, { ...lease, checkpoint: at("5") });
          }
          for (const lease of completedLeases(table)) {
            expect(isEnded(lease)).toBe(true);
            table.delete(lease.leaseKey);
            cleaned.add(lease.leaseKey);
          }
          perform(stream, reshard);
        }
        const again = missingLeases(stream.shards, table, FROM_START).flat();
        expect(again.filter((l) => cleaned.has(l.leaseKey))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe("leases that have done their duty", () => {
  const parent = row("p", { ...ENDED, childShardIds: ["a", "b"] });
  const done = (...rows: Lease[]) => completedLeases(tableOf(rows)).map((l) => l.leaseKey);

  it("ended ones whose children have all started", () => {
    const started = { parentShardIds: ["p"], checkpoint: at("9") };
    expect(done(parent, row("a", started), row("b", started))).toEqual(["p"]);
  });

  it("not before the last child has started: a fresh child may still be read anew from the parent's end", () => {
    expect(done(parent, row("a", { checkpoint: at("9") }), row("b"))).toEqual([]);
  });

  it("not while a child has no row", () => {
    expect(done(parent, row("a", { checkpoint: at("9") }))).toEqual([]);
  });

  it("a child that ended has started", () => {
    expect(done(parent, row("a", ENDED), row("b", { checkpoint: sentinel(SHARD_END) }))).toEqual(["p"]);
  });

  it("not before its own parents' rows are gone: the oldest goes first", () => {
    const middle = row("m", { ...ENDED, parentShardIds: ["p"], childShardIds: ["a"] });
    const top = row("p", { ...ENDED, childShardIds: ["m"] });
    const leaf = row("a", { parentShardIds: ["m"], checkpoint: at("9") });
    expect(done(top, middle, leaf)).toEqual(["p"]);
    expect(done(middle, leaf)).toEqual(["m"]);
  });

  it("not an ended lease that nobody knows a child of", () => {
    expect(done(row("p", ENDED))).toEqual([]);
  });

  it("children that name their parent count, even where the parent does not name them", () => {
    const unnamed = row("p", ENDED);
    expect(done(unnamed, row("a", { parentShardIds: ["p"] }))).toEqual([]);
    expect(done(unnamed, row("a", { parentShardIds: ["p"], checkpoint: at("9") }))).toEqual(["p"]);
  });

  it("says beforehand whether a fresh look at the rows could find any", () => {
    const table = tableOf([parent, row("a"), row("b")]);
    expect(completedLeases(table, "may-have-started")).toEqual([parent]);
    expect(completedLeases(tableOf([row("a"), row("b")]), "may-have-started")).toEqual([]);
  });
});

describe("holes in the key space", () => {
  it("are seen when a row was deleted by hand", () => {
    const stream = new PaperStream(4);
    const rows = rowsOf(stream);
    expect(uncovered(stream.shards, tableOf(rows))).toEqual([]);
    expect(uncovered(stream.shards, tableOf(rows.filter((l) => l.leaseKey !== "s2")))).toEqual([
      stream.shards[2]!.hashRange,
    ]);
  });

  it("are not closed by leases that ended", () => {
    const stream = new PaperStream(2);
    const [first, second] = rowsOf(stream);
    expect(uncovered(stream.shards, tableOf([{ ...first!, ...ENDED }, second!]))).toEqual([first!.hashRange]);
  });

  it("cannot be told where a row does not say its range (old Java rows), or the stream lists nothing", () => {
    const stream = new PaperStream(2);
    expect(uncovered(stream.shards, tableOf([row("s0")]))).toEqual([]);
    expect(uncovered([], EMPTY)).toEqual([]);
  });
});
