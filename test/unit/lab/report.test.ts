import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  compareReports,
  type Report,
  readReport,
  renderComparison,
  renderReport,
  writeReport,
} from "../../../lab/report/index.ts";
import type { HistoryEvent } from "../../../services/contract/history.ts";
import { settingsOf, syntheticHistory } from "./synthetic-history.ts";

const OPTIONS = {
  seed: 5,
  shards: 20,
  splitTo: 30,
  pods: 3,
  scaleTo: 5,
  rate: 100,
  keys: 80,
  phaseMillis: 4_000,
  kill: false,
};
const apiCalls = { "DynamoDB.UpdateItem": 300, "DynamoDB.GetItem": 200, "Kinesis.GetRecords": 1_000 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "report-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** As a run leaves it: one file per process. */
async function write(name: string, history: readonly HistoryEvent[]) {
  const files = new Map<string, string>();
  for (const event of history) {
    const writer = "worker" in event ? String(event.worker) : event.type === "put" ? "producer" : "lab";
    files.set(writer, `${files.get(writer) ?? ""}${JSON.stringify(event)}\n`);
  }
  const historyFiles: string[] = [];
  for (const [writer, text] of files) {
    const path = join(folder, `${name}-${writer.replace(/\W/g, "_")}.jsonl`);
    await writeFile(path, text);
    historyFiles.push(path);
  }
  const out = join(folder, name);
  const { ok, report } = await writeReport({
    historyFiles,
    settings: settingsOf(OPTIONS),
    apiCalls,
    finalLeases: [{ leaseKey: "x" }],
    out,
  });
  return { ok, report, out };
}

const history = syntheticHistory(OPTIONS);
const firstRecord = history.find((event) => event.type === "record");
const damaged = history.filter((event) => event !== firstRecord);
let good: Awaited<ReturnType<typeof write>>;
let bad: Awaited<ReturnType<typeof write>>;
beforeAll(async () => {
  good = await write("good", history);
  bad = await write("bad", damaged);
});

const contents = async (out: string, name: string): Promise<string> => readFile(join(out, name), "utf8");

describe("writeReport", () => {
  it("writes what the contract lists", async () => {
    const report = JSON.parse(await contents(good.out, "report.json")) as Report;
    expect(report).toEqual(JSON.parse(JSON.stringify(good.report)));
    expect(Object.keys(report)).toEqual(
      expect.arrayContaining(["ok", "settings", "phases", "measures", "checks"]),
    );
    expect(Object.keys(report.measures)).toEqual(
      expect.arrayContaining([
        "initialBalanceMillis",
        "childDetectionMillis",
        "convergenceMillis",
        "handoffGapMillis",
        "produced",
        "processed",
        "duplicates",
        "lost",
        "orderViolations",
        "leaseMoves",
        "minimumLeaseMoves",
        "apiCalls",
      ]),
    );
    for (const check of report.checks)
      expect(Object.keys(check)).toEqual(expect.arrayContaining(["name", "expected", "actual", "ok"]));
    for (const phase of report.phases) expect(phase.endedAt).toBeGreaterThan(phase.startedAt);
    expect(JSON.parse(await contents(good.out, "leases.json"))).toEqual([{ leaseKey: "x" }]);
  });

  it("is ok for a correct run, and measures it", () => {
    expect(good.report.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(good.ok).toBe(true);
    expect(good.report.measures).toMatchObject({
      lost: 0,
      duplicates: 0,
      orderViolations: 0,
      leaseMoves: 12,
      minimumLeaseMoves: 12,
      apiCalls,
    });
  });

  it("is not ok when one record was lost, and says which in the first sentence", () => {
    expect(bad.ok).toBe(false);
    expect(bad.report.checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(["nothing lost"]);
    if (firstRecord?.type !== "record") throw new Error("the synthetic history has records");
    expect(bad.report.summary).toContain(`record ${firstRecord.n} of key ${firstRecord.key}`);
  });

  it("does not let a missed goal decide", async () => {
    // Every record waits a second longer for its handler than in the good run.
    const slow = history.map((event) => (event.type === "put" ? { ...event, t: event.t - 1_000 } : event));
    const path = join(folder, "slow.jsonl");
    const inTime = slow.toSorted((a, b) => a.t - b.t);
    await writeFile(path, inTime.map((event) => `${JSON.stringify(event)}\n`).join(""));
    const { ok, report } = await writeReport({
      historyFiles: [path],
      settings: settingsOf(OPTIONS),
      apiCalls,
      finalLeases: [],
      out: join(folder, "slow"),
    });
    const missed = report.goals.filter(({ met }) => !met);
    expect(missed.map(({ name }) => name)).toContain("put → handler, p50");
    expect(ok).toBe(true);
  });

  it("comes to the same report from out/history.jsonl alone, read and written in place", async () => {
    const again = await writeReport({
      historyFiles: [join(good.out, "history.jsonl")],
      settings: settingsOf(OPTIONS),
      apiCalls,
      finalLeases: [{ leaseKey: "x" }],
      out: good.out,
    });
    expect(again.report).toEqual(good.report);
  });

  it("fails the run over a corrupt line, naming it without the machine's folders", async () => {
    const path = join(folder, "corrupt.jsonl");
    await writeFile(
      path,
      `${history.map((event) => JSON.stringify(event)).join("\n")}\n{broken\n{"type":"event"`,
    );
    const { ok, report } = await writeReport({
      historyFiles: [path],
      settings: settingsOf(OPTIONS),
      finalLeases: [],
      out: join(folder, "corrupt"),
    });
    expect(ok).toBe(false);
    expect(report.checks.filter((check) => !check.ok).map(({ witnesses }) => witnesses?.[0]?.text)).toEqual([
      `corrupt.jsonl:${history.length + 1}: not JSON`,
    ]);
    expect(report.history).toMatchObject({ corruptLines: 1, halfWrittenLines: 1 });
  });
});

describe("report.html", () => {
  it("needs no network and is small", async () => {
    const page = await contents(good.out, "report.html");
    expect(page).not.toMatch(/(?:src|href)\s*=|url\(|@import|fetch\(|XMLHttpRequest/);
    expect((await stat(join(good.out, "report.html"))).size).toBeLessThan(400_000);
  });

  it("has a row for every shard and the verdict with its witness", async () => {
    const page = await contents(bad.out, "report.html");
    for (let shard = 0; shard < 40; shard++)
      expect(page).toContain(`title="shardId-${String(shard).padStart(12, "0")}`);
    expect(page).toContain("NOT OK");
    expect(page).toContain(bad.report.checks.find(({ ok }) => !ok)?.witnesses?.[0]?.text);
  });

  it("escapes what the history says", async () => {
    const nasty = "</script><script>alert(1)</script>";
    const renamed = JSON.parse(
      JSON.stringify(history).replaceAll(JSON.stringify(workerName()).slice(1, -1), nasty),
    ) as HistoryEvent[];
    const { out } = await write("nasty", renamed);
    const page = await contents(out, "report.html");
    expect(page).not.toContain("<script>alert");
    expect(page).toContain("&#60;/script&#62;");
  });
});

const workerName = (): string => {
  const started = history.find((event) => event.type === "event" && event.name === "task-started");
  return started?.type === "event" ? String(started.worker) : "";
};

describe("the report as text", () => {
  it("fits 80 columns and carries the witness of a failed check", () => {
    for (const { report } of [good, bad]) {
      for (const line of renderReport(report, { colour: false })) expect(line.length).toBeLessThanOrEqual(80);
    }
    expect(renderReport(bad.report, { colour: false }).join("\n")).toContain("was never processed");
  });

  it("is the same with colours, but for the colours", () => {
    const coloured = renderReport(good.report, { colour: true });
    expect(coloured.map(stripVTControlCharacters)).toEqual(renderReport(good.report, { colour: false }));
    expect(coloured.join("")).not.toBe(coloured.map(stripVTControlCharacters).join(""));
  });
});

describe("readReport", () => {
  it("takes the file or its folder", async () => {
    const report = JSON.parse(JSON.stringify(good.report));
    expect(await readReport(join(good.out, "report.json"))).toEqual(report);
    expect(await readReport(good.out)).toEqual(report);
  });

  it.each([
    ["missing.json", undefined, "missing.json cannot be read as a report"],
    ["not.json", "{", "not.json cannot be read as a report"],
    ["other.json", '{"ok":true}', "other.json is not a report (summary: "],
  ])("refuses %s and says what to give", async (name, text, message) => {
    const path = join(folder, name);
    if (text !== undefined) await writeFile(path, text);
    await expect(readReport(path)).rejects.toThrow(message);
    await expect(readReport(path)).rejects.toThrow("expected a report.json");
    await expect(readReport(path)).rejects.toMatchObject({ exitCode: 2 });
  });
});

describe("two reports compared", () => {
  it("have deltas with a direction, the checks that differ and the settings that differ", () => {
    const slower: Report = {
      ...bad.report,
      settings: { ...bad.report.settings, rate: 999 },
      measures: { ...bad.report.measures, convergenceMillis: 4_000, initialBalanceMillis: null },
    };
    const { rows, checks, settings } = compareReports(good.report, slower);
    const row = (name: string) => rows.find((found) => found.name === name);
    const before = good.report.measures.convergenceMillis as number;
    expect(row("workers added → even, staying so")).toMatchObject({
      a: before,
      b: 4_000,
      delta: 4_000 - before,
      change: "worse",
    });
    expect(row("workers started → even")).toMatchObject({ b: null, delta: null, change: "neutral" });
    expect(row("lost")).toMatchObject({ delta: 1, change: "worse" });
    expect(row("lease moves")?.change).toBe("same");
    expect(checks).toEqual([{ name: "nothing lost", a: true, b: false }]);
    expect(settings).toEqual([{ name: "rate", a: "100", b: "999" }]);
  });

  it("fit 80 columns", () => {
    const lines = renderComparison(
      good.report,
      bad.report,
      ["out/a-rather-long-name/report.json", "b.json"],
      { colour: false },
    );
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines[0]).toContain("NOT OK");
  });
});
