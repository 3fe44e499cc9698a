/** The page of trust cases names tests that exist, by their own words. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const page = new URL("../../../docs/trust-cases.md", import.meta.url);
const rows = readFileSync(page, "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| ") && line.includes(".test.ts"));

it("has a test for every row", () => {
  const all = readFileSync(page, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| what happens"));
  expect(all.filter((line) => !rows.includes(line))).toEqual([]);
  expect(rows.length).toBeGreaterThan(35);
});

it.each(rows)("%s", (row) => {
  const heldBy = row.split(" | ").at(-1)!;
  for (const part of heldBy.split("; ")) {
    const [, file = ""] = /\]\((\S+)\)/.exec(part) ?? [];
    const source = readFileSync(new URL(file, page), "utf8");
    const quoted = [...part.matchAll(/"([^"]+)"/g)].map(([, words = ""]) => words);
    expect(quoted.length).toBeGreaterThan(0);
    for (const words of quoted) expect(source).toContain(words);
  }
});
