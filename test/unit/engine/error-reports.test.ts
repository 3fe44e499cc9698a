/** Logged once as a warning or error and then seldom; counted each time; and logged when it is over. */
import { describe, expect, it } from "vitest";
import { ErrorReports } from "../../../src/engine/error-reports.ts";
import { type Metrics, noMetrics } from "../../../src/ports/metrics.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

function setup() {
  const clock = new VirtualClock();
  const lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  const log = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: fields as Record<string, unknown> });
  const counted: string[] = [];
  const told: string[] = [];
  const metrics: Metrics = {
    ...noMetrics,
    record: (name, _value, _unit, { Operation, ErrorClass }) =>
      void counted.push([name, Operation, ErrorClass].filter((part) => part !== undefined).join("/")),
  };
  const ports = {
    clock,
    metrics,
    logger: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
  };
  const reports = new ErrorReports(ports, (error) => told.push(error.message));
  return { clock, lines, counted, told, reports };
}

describe("error reports", () => {
  it("report at once what needs a person, remind every five minutes, and say when it is over", async () => {
    const { clock, lines, told, reports } = setup();
    for (let second = 0; second < 301; second++) {
      reports.failed("reading", "denied", new Error("no"), `shard-${second % 7}`);
      await clock.advance(1_000);
    }
    expect(lines.map(({ level }) => level)).toEqual(["error", "error"]);
    expect(told).toEqual(["no", "no"]);
    expect(lines[1]?.fields).toMatchObject({ failures: 301, of: 7 });
    for (let shard = 0; shard < 7; shard++) reports.recovered("reading", `shard-${shard}`);
    expect(lines.at(-1)).toMatchObject({ level: "warn", message: "reading works again" });
    expect(lines).toHaveLength(3);
  });

  it("are silent about a hiccup, and warn about what lasts", async () => {
    const { clock, lines, told, reports } = setup();
    reports.failed("lease table", "throttled", new Error("slow down"));
    reports.recovered("lease table");
    expect(lines).toEqual([]);
    for (let second = 0; second < 10; second++) {
      reports.failed("lease table", "throttled", new Error("slow down"));
      await clock.advance(1_000);
    }
    expect(lines).toMatchObject([{ level: "warn", fields: { errorClass: "throttled", failures: 6 } }]);
    expect(told).toEqual([]);
  });

  it("count every failure, by source and class and in all", () => {
    const { counted, reports } = setup();
    reports.failed("reading", "throttled", new Error("slow down"), "shard-1");
    reports.failed("reading", "throttled", new Error("slow down"), "shard-2");
    expect(counted.filter((name) => name === "Errors/reading/throttled")).toHaveLength(2);
    expect(counted.filter((name) => name === "Errors/AllErrors")).toHaveLength(2);
    expect(counted).not.toContain("Errors/ErrorsForAPerson");
    reports.failed("reading", "denied", new Error("not authorized"), "shard-1");
    expect(counted.filter((name) => name === "Errors/ErrorsForAPerson")).toHaveLength(1);
  });
});
