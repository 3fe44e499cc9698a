import { describe, expect, test } from "vitest";
import { matrixPage } from "../../chaos/matrix.ts";
import { seedOf } from "../../chaos/pick.ts";
import type { RowResult } from "../../chaos/row.ts";
import { ROWS } from "../../chaos/rows/index.ts";

test("every row has a name of its own that can be a stream, a table and a caller", () => {
  const names = ROWS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z][a-z-]{2,31}$/);
});

test("each row draws from a seed of its own, the same every time", () => {
  const seeds = ROWS.map(({ name }) => seedOf(1, name));
  expect(new Set(seeds).size).toBe(seeds.length);
  expect(seedOf(1, "kill")).not.toBe(seedOf(2, "kill"));
  expect(seedOf(1, "kill")).toBe(seedOf(1, "kill"));
});

describe("the matrix", () => {
  const result = (over: Partial<RowResult>): RowResult => ({
    ...{
      name: "kill",
      group: "processes",
      about: "kill -9",
      seed: 1,
      ok: true,
      checks: [],
      tookMillis: 1,
      lagMillis: 1,
    },
    figures: {
      ...{
        put: 10,
        lost: 0,
        doubled: 3,
        doubledBecause: "after a crash",
        disordered: 0,
        halted: 0,
        unansweredPuts: 0,
      },
      ...{ longestWaitMillis: 5_200, slowestAnswerMillis: 4, said: { afterMillis: 4_100, text: "a | b" } },
    },
    ...over,
  });

  test("one line a row, below its group", () => {
    const page = matrixPage([result({})], 1, new Set(["DynamoDB.Scan", "DynamoDB.GetItem"]));
    expect(page).toContain("## Processes");
    expect(page).toContain("| `kill` | kill -9 | 0 | 3: after a crash | 0 | 5.2 s | 4.1 s: a \\| b |");
    expect(page).toContain("seed 1, 1 rows, 0 failed");
    expect(page).toContain("DynamoDB.GetItem, DynamoDB.Scan.");
    expect(page).not.toContain("Not as expected");
  });

  test("what is not as expected is listed", () => {
    const check = { name: "lost", expected: 0, actual: 7, ok: false };
    const page = matrixPage([result({ ok: false, checks: [check] })], 1, new Set());
    expect(page).toContain("| **`kill`** |");
    expect(page).toContain("* `kill`, lost: expected 0, was 7");
  });
});
