/** The logger of a worker that was given no logger. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { consoleLogger } from "../../../src/adapters/console-logger.ts";
import { loggerOf, type WorkerOptions } from "../../../src/options.ts";

const clock = { wallMillis: () => Date.UTC(2026, 10, 27, 10) };

function lines(write: (logger: ReturnType<typeof consoleLogger>) => void): [string, string][] {
  const said: [string, string][] = [];
  const output = {
    warn: (text: string) => void said.push(["warn", text]),
    error: (text: string) => void said.push(["error", text]),
  };
  write(consoleLogger(clock, output));
  return said;
}

describe("the default logger", () => {
  it("writes warnings and errors, one line each, and nothing else", () => {
    const said = lines((logger) => {
      logger.debug({}, "no");
      logger.info({ shardId: "shardId-000000000001" }, "lease claimed");
      logger.warn({ shardId: "shardId-000000000001", attempt: undefined, of: 3 }, "the shard waits");
      logger.error({}, "it halts");
    });
    expect(said).toEqual([
      ["warn", "2026-11-27T10:00:00.000Z WARN evenkeel: the shard waits shardId=shardId-000000000001 of=3"],
      ["error", "2026-11-27T10:00:00.000Z ERROR evenkeel: it halts"],
    ]);
  });

  it("quotes what has spaces, and keeps objects, bigints and circles in the line", () => {
    const circle: Record<string, unknown> = { leaseKey: "a\nb", big: 5n };
    circle.self = circle;
    const [[, text]] = lines((logger) => logger.warn({ reason: "no room", circle }, "two\n  lines")) as [
      [string, string],
    ];
    expect(text).not.toContain("\n");
    expect(text).toContain('two lines reason="no room" circle=');
    expect(text).toContain("5n");
  });

  it("has an error's stack, and its causes', in the same console call", () => {
    const cause = new TypeError("socket closed");
    const error = new Error("reading failed", { cause });
    const said = lines((logger) => logger.error({ err: error, shardId: "s" }, "trying again"));
    expect(said).toHaveLength(1);
    const [first, ...rest] = said[0]![1].split("\n");
    expect(first).toBe("2026-11-27T10:00:00.000Z ERROR evenkeel: trying again shardId=s");
    expect(rest[0]).toBe("Error: reading failed");
    expect(rest.join("\n")).toContain("console-logger.test.ts");
    expect(rest).toContain("caused by: TypeError: socket closed");
  });

  it("takes an error without a stack, and lets nothing move the terminal's cursor", () => {
    const error = new Error("red \u001b[31m");
    delete error.stack;
    const [[, text]] = lines((logger) => logger.warn({ err: error }, "odd \u001b[2J")) as [[string, string]];
    expect(text).toBe("2026-11-27T10:00:00.000Z WARN evenkeel: odd [2J\nError: red [31m");
  });
});

describe("the logger of createWorker", () => {
  const least: WorkerOptions = { applicationName: "a", streamName: "s", processRecords: () => undefined };
  afterEach(() => vi.restoreAllMocks());
  const spies = () =>
    (["debug", "info", "log", "warn", "error"] as const).map((level) =>
      vi.spyOn(console, level).mockImplementation(() => undefined),
    );

  it("is the console where none is given, and without what an error carries", () => {
    const [debug, info, log, warn, error] = spies();
    const logger = loggerOf(least);
    logger.info({}, "starting");
    const refused = Object.assign(new Error("refused"), { record: { data: "data-of-a-person" } });
    logger.error({ err: refused }, "trouble");
    expect([debug, info, log, warn].flatMap((spy) => spy?.mock.calls)).toEqual([]);
    expect(error?.mock.calls).toEqual([
      [expect.stringMatching(/Z ERROR evenkeel: trouble\nError: refused\n/)],
    ]);
    expect(JSON.stringify(error?.mock.calls)).not.toContain("data-of-a-person");
  });

  it("is silent with false", () => {
    const all = spies();
    const logger = loggerOf({ ...least, logger: false });
    for (const level of ["debug", "info", "warn", "error"] as const) logger[level]({}, "nothing");
    expect(all.flatMap((spy) => spy.mock.calls)).toEqual([]);
  });
});
