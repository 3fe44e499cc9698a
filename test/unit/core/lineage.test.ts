import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AT_TIMESTAMP, LATEST, type Lease, sentinel } from "../../../src/core/lease.ts";
import {
  lineage,
  missingParents,
  orphans,
  readiness,
  shardCount,
  tableOf,
} from "../../../src/core/lineage.ts";
import { at, ENDED, row } from "./rows.ts";

const keys = (leases: readonly Lease[]) => leases.map((l) => l.leaseKey);
const shardsOf = (...rows: Lease[]) => shardCount(tableOf(rows), lineage(tableOf(rows)));

describe("children without a parent's row", () => {
  it("are doubted wherever they begin, while they have not begun", () => {
    const child = row("s1", { parentShardIds: ["s0"] });
    for (const checkpoint of [child.checkpoint, sentinel(AT_TIMESTAMP), sentinel(LATEST)])
      expect(orphans([{ ...child, checkpoint }])).toEqual(["s1 s0"]);
    expect(orphans([{ ...child, checkpoint: at("5") }])).toEqual([]);
    expect(orphans([{ ...child, ...ENDED }])).toEqual([]);
    expect(orphans([row("s0"), child])).toEqual([]);
  });
});

describe("which leases may be read", () => {
  it("not a child before its parent is at SHARD_END", () => {
    const parent = row("s0", { checkpoint: at("5") });
    const child = row("s1", { parentShardIds: ["s0"] });
    expect(readiness(child, tableOf([parent, child]))).toBe("blocked");
    expect(readiness(child, tableOf([{ ...parent, ...ENDED }, child]))).toBe("runnable");
  });

  it("not the child of a merge before both parents are", () => {
    const child = row("s2", { parentShardIds: ["s0", "s1"] });
    const open = row("s1", { checkpoint: at("5") });
    expect(readiness(child, tableOf([row("s0", ENDED), open, child]))).toBe("blocked");
    expect(readiness(child, tableOf([open, row("s0", ENDED), child]))).toBe("blocked");
    expect(readiness(child, tableOf([row("s0", ENDED), row("s1", ENDED), child]))).toBe("runnable");
  });

  it("a child whose parent has no row: it was cleaned up, or trimmed before anybody leased it", () => {
    const child = row("s1", { parentShardIds: ["s0"] });
    expect(readiness(child, tableOf([child]))).toBe("runnable");
  });

  it("not a child that no worker has taken, whose parent's row must be there and is not", () => {
    const application = {
      stream: undefined,
      initialPosition: "TRIM_HORIZON",
      startMillis: undefined,
      newestShardId: "s0",
      isNotedLate: false,
      isClearing: false,
    } as const;
    const child = row("s1", { parentShardIds: ["s0"] });
    const missing = missingParents(tableOf([child]), application);
    expect([...missing]).toEqual(["s0"]);
    expect(readiness(child, tableOf([child]), missing)).toBe("blocked");
    const taken = tableOf([{ ...child, owner: "w", counter: 1 }]);
    expect([...missingParents(taken, application)]).toEqual([]);
    expect([...missingParents(tableOf([child]), { ...application, newestShardId: "s1" })]).toEqual([]);
    expect([...missingParents(tableOf([child]), { ...application, newestShardId: undefined })]).toEqual([]);
  });

  it("a grandchild waits for its own parent only", () => {
    const rows = [
      row("s0", ENDED),
      row("s1", { parentShardIds: ["s0"] }),
      row("s2", { parentShardIds: ["s1"] }),
    ];
    const lines = lineage(tableOf(rows));
    expect([keys(lines.ended), keys(lines.runnable), keys(lines.blocked)]).toEqual([["s0"], ["s1"], ["s2"]]);
  });

  it("every lease is in exactly one of the three lists, and some unfinished lease can always be read", () => {
    // Parents have smaller numbers than their children, as in a stream.
    const tables = fc
      .array(
        fc.record({
          parents: fc.array(fc.nat(), { maxLength: 2 }),
          state: fc.constantFrom("fresh", "ended", "gone"),
        }),
        { minLength: 1, maxLength: 25 },
      )
      .map((shards) =>
        shards.flatMap(({ parents, state }, i) =>
          state === "gone"
            ? []
            : [
                row(`s${i}`, {
                  parentShardIds: i === 0 ? [] : parents.map((p) => `s${p % i}`),
                  ...(state === "ended" ? ENDED : {}),
                }),
              ],
        ),
      );
    fc.assert(
      fc.property(tables, (rows) => {
        const { runnable, blocked, ended } = lineage(tableOf(rows));
        expect([...keys(runnable), ...keys(blocked), ...keys(ended)].toSorted()).toEqual(
          keys(rows).toSorted(),
        );
        if (runnable.length === 0) expect(ended.length).toBe(rows.length);
      }),
    );
  });
});

describe("the number of shards a cap formula is asked about", () => {
  const splits = (count: number, parents: Partial<Lease>) =>
    Array.from({ length: count }, (_, i) => [
      row(`p${i}`, parents),
      row(`a${i}`, { parentShardIds: [`p${i}`] }),
      row(`b${i}`, { parentShardIds: [`p${i}`] }),
    ]).flat();
  const others = Array.from({ length: 10 }, (_, i) => row(`o${i}`));

  it("is 30 after ten splits of 20, from the first moment to the last parent's end", () => {
    expect(shardsOf(...others, ...splits(10, { checkpoint: at("1") }))).toBe(30);
    expect(shardsOf(...others, ...splits(10, ENDED))).toBe(30);
    expect(shardsOf(...others, ...splits(10, ENDED).filter((l) => !l.leaseKey.startsWith("p")))).toBe(30);
  });

  it("counts the parents of a merge while they drain: they must all be read first", () => {
    const merged = row("m", { parentShardIds: ["x", "y"] });
    expect(shardsOf(row("x"), row("y"), merged)).toBe(2);
    expect(shardsOf(row("x", ENDED), row("y", ENDED), merged)).toBe(1);
  });

  it("is 0 for an empty table", () => {
    expect(shardsOf()).toBe(0);
  });
});
