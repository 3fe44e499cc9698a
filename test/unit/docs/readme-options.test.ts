/** README's table of options matches the code: the same names, in the same order, with the same defaults. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { OPTION_BOUNDS } from "../../../src/defaults.ts";
import { compileOptions, OPTION_NAMES } from "../../../src/options.ts";

const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");

/** Name → default, as in the table: rows whose first cell is one option. */
function optionTable(): Map<string, string> {
  const section = readme.split("\n## ").find((part) => part.startsWith("Options of `createWorker`")) ?? "";
  const rows = section.matchAll(/^\| `(\w+)` \| ([^|]*) \|/gm);
  return new Map([...rows].map(([, name, value]) => [name ?? "", (value ?? "").trim()]));
}

describe("README's table of options", () => {
  const table = optionTable();

  it("has every option, and no other", () => {
    expect([...table.keys()].sort()).toEqual(Object.keys(OPTION_NAMES).sort());
  });

  it("has the defaults of the code", () => {
    const compiled: Readonly<Record<string, unknown>> = {
      ...compileOptions({ applicationName: "orders", streamName: "s", processRecords: () => undefined }),
    };
    const plain = [...table.keys()].filter((name) =>
      ["string", "number", "boolean"].includes(typeof compiled[name]),
    );
    // Every worker has another id by default: there the table uses words.
    const compared = plain.filter((name) => name !== "workerId");
    expect(compared.length).toBeGreaterThan(11);
    expect(Object.fromEntries(compared.map((name) => [name, table.get(name)]))).toEqual(
      Object.fromEntries(compared.map((name) => [name, `\`${String(compiled[name])}\``])),
    );
  });

  it("says none where the code has none", () => {
    const compiled = compileOptions({
      applicationName: "orders",
      streamName: "s",
      processRecords: () => undefined,
    });
    expect(compiled.maxLeasesForWorker({ shards: 20, workers: 3 })).toBeUndefined();
    expect(table.get("maxLeasesForWorker")).toBe("no cap");
    expect(compiled.processTimeoutMillis).toBeUndefined();
    expect(table.get("processTimeoutMillis")).toBe("no limit");
  });
});

describe("the docstrings of the options", () => {
  const source = readFileSync(new URL("../../../src/options.ts", import.meta.url), "utf8");
  /** The docstring before the option, its lines joined. */
  const docstringOf = (option: string): string => {
    const before = source.slice(0, source.indexOf(`readonly ${option}?:`));
    return before.slice(before.lastIndexOf("/**")).replaceAll(/\s*\n\s*\*\s?/g, " ");
  };

  it.each(Object.entries(OPTION_BOUNDS))(
    "%s has the bounds and the default of the code",
    (option, bounds) => {
      const { least, most, fallback } = bounds;
      expect(docstringOf(option)).toContain(`Milliseconds, ${least} to ${most}`);
      expect(docstringOf(option)).toMatch(new RegExp(`Default:\\s+${fallback}\\b`));
    },
  );
});
