/**
 * The state machine's input, pod configurations and history lines: whatever they contain, one line says what
 * is wrong.
 */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { parsePodConfig } from "../../lab/aws/pod-config.ts";
import { CommandError } from "../../lab/errors.ts";
import { parseHistoryLine } from "../../lab/history/parse.ts";
import { InvalidInput, MAX_SHARDS, MAX_TASKS, parseRequest } from "../../services/resharder/input.ts";
import { RUNS, TIMEOUT_MILLIS } from "./runs.ts";

vi.setConfig({ testTimeout: TIMEOUT_MILLIS });

const LONGEST_MESSAGE = 1_000;
function expectLine(message: string): void {
  expect(message.length).toBeLessThan(LONGEST_MESSAGE);
  expect(message).toMatch(/^[^\n\r]+$/);
}

/** Returns the result of `parse`. An error must be of `kind`, in one line. */
function parsed<T>(parse: () => T, kind: new (...args: never[]) => Error): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    expectLine(error.message);
    return undefined;
  }
}

const long = "long\n".repeat(20_000);
const names = fc.constantFrom("__proto__", "constructor", "toString", "", long, "line\nbreak");
const json = fc.oneof(
  fc.jsonValue(),
  names,
  fc.constantFrom(Number.POSITIVE_INFINITY, -0, 0.5, 2 ** 53, long, [long], { [long]: 1 }),
);

describe("the state machine's input", () => {
  const inputs = fc.oneof(
    json,
    fc.record(
      {
        targetShards: fc.oneof(json, fc.integer({ min: -2, max: MAX_SHARDS + 2 })),
        targetTasks: fc.oneof(json, fc.integer({ min: -2, max: MAX_TASKS + 2 })),
        force: fc.oneof(json, fc.boolean()),
      },
      { requiredKeys: [] },
    ),
    fc
      .tuple(names, json)
      .map(([name, value]) => JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value)}}`)),
  );

  it("is a request within its bounds, or InvalidInput in one line", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const request = parsed(() => parseRequest(input), InvalidInput);
        if (request === undefined) return;
        const { targetShards = 1, targetTasks = 0, force } = request;
        expect(Number.isInteger(targetShards) && targetShards >= 1 && targetShards <= MAX_SHARDS).toBe(true);
        expect(Number.isInteger(targetTasks) && targetTasks >= 0 && targetTasks <= MAX_TASKS).toBe(true);
        expect(typeof force).toBe("boolean");
      }),
      { numRuns: RUNS * 10 },
    );
  });
});

describe("a pod's configuration", () => {
  const scalars = fc.oneof(
    fc.constantFrom(
      "5000",
      "true",
      "EVEN_DISTRIBUTION",
      '"min(10, shards/pods)"',
      "~",
      "1e309",
      "0x1F",
      ".nan",
    ),
    fc.constantFrom(
      "&a [*a]",
      "*nowhere",
      "{a: *b}",
      "!!binary aGk=",
      "!tag x",
      "2001-01-01",
      "|\n    two\n    lines",
    ),
    fc.string({ maxLength: 20 }),
  );
  const keys = fc.oneof(
    fc.constantFrom(
      "WorkerId",
      "EnableLeaseStealing",
      "MaxLeasesForWorker",
      "FailoverTimeMillis",
      "LogLevel",
    ),
    fc.constantFrom("<<", "? [a]", "__proto__", '"line\\nbreak"', "*a", `"${"k".repeat(50_000)}"`),
  );
  const sections = fc.constantFrom("worker", "lease", "reader", "lease: &a", "Lease", "__proto__");
  const likely = fc
    .array(fc.tuple(sections, fc.array(fc.tuple(keys, scalars), { maxLength: 4 })), { maxLength: 4 })
    .map((parts) =>
      parts
        .map(([section, entries]) =>
          [
            `${section}${section.includes(":") ? "" : ":"}`,
            ...entries.map(([key, value]) => `  ${key}: ${value}`),
          ].join("\n"),
        )
        .join("\n"),
    );
  const yaml = fc.string({ unit: fc.constantFrom(..."ab1 :-\n{}[],&*!|>\"'%@`#?\t~"), maxLength: 60 });
  const bombs = fc.constantFrom(
    "[".repeat(20_000),
    "{a: ".repeat(20_000),
    `${"- ".repeat(5_000)}x`,
    `a: &a [x, x]\n${"bcdefghij"
      .split("")
      .map((name, i) => `${name}: &${name} [${`*${"abcdefghij"[i]},`.repeat(9)}]`)
      .join("\n")}`,
    "lease: &a\n  WorkerId: *a",
    "\u0000",
    "%YAML 9.9\n---\na: 1",
    "---\na: 1\n---\nb: 2",
  );

  it("is a set of known settings, or a problem in one line", () => {
    fc.assert(
      fc.property(
        fc.oneof({ weight: 6, arbitrary: likely }, { weight: 3, arbitrary: yaml }, bombs),
        (text) => {
          const values = parsed(() => parsePodConfig(text, "pod.yaml"), CommandError);
          for (const value of values?.values() ?? []) expect(typeof value).toBe("string");
        },
      ),
      { numRuns: RUNS * 3 },
    );
  });
});

describe("a line of a history", () => {
  const shapes = fc.record(
    {
      type: fc.oneof(fc.constantFrom("put", "record", "batch", "lease", "leases", "event"), json),
      t: fc.oneof(fc.nat(), json),
      worker: fc.oneof(fc.constant("w"), json),
      shardId: fc.oneof(fc.constant("s"), json),
      key: json,
      n: fc.oneof(fc.nat(), json),
      action: fc.oneof(fc.constantFrom("claimed", "lost"), json),
      owners: json,
      checkpoints: json,
      name: json,
    },
    { requiredKeys: ["type"] },
  );
  const lines = fc.oneof(
    fc.oneof(shapes, json).map((value) => JSON.stringify(value) ?? ""),
    shapes.chain((value) => {
      const line = JSON.stringify(value);
      return fc.nat(line.length).map((end) => line.slice(0, end));
    }),
    fc.string({ maxLength: 50 }),
    names.map((type) => JSON.stringify({ type, t: 1 })),
  );

  it("is an event with the fields of its type, or what is wrong with it, in one line", () => {
    fc.assert(
      fc.property(lines, (line) => {
        const found = parseHistoryLine(line);
        if ("problem" in found) expectLine(found.problem);
        else expect(found.event).toMatchObject({ type: expect.any(String), t: expect.any(Number) });
      }),
      { numRuns: RUNS * 10 },
    );
  });
});
