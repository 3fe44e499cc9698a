import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { inProject } from "../../lab/project.ts";
import type { Report } from "../../lab/report/index.ts";

interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

const APPLICATION = "e2e";

/** The command line as a user has it, on the shared endpoint. */
async function evenkeel(...args: string[]): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    [inProject("lab/bin/evenkeel.mjs"), ...args, "--application", APPLICATION],
    { env: { ...process.env, AWS_ENDPOINT_URL: inject("endpointUrl"), NO_COLOR: "1" } },
  );
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk;
  });
  const [exitCode] = await once(child, "close");
  return { exitCode, out, err };
}

describe("the experiment, small, then the commands on what it kept", () => {
  const out = mkdtempSync(join(tmpdir(), "evenkeel-e2e-"));
  let run: Outcome;
  let report: Report;

  beforeAll(async () => {
    const sizes = ["--shards", "4", "--split-to", "6", "--pods", "2", "--scale-to", "3", "--rate", "50"];
    run = await evenkeel("experiment", ...sizes, "--out", out, "--keep");
    report = JSON.parse(readFileSync(join(out, "report.json"), "utf8"));
  }, 240_000);

  afterAll(async () => {
    await evenkeel("down");
    rmSync(out, { recursive: true, force: true });
  }, 120_000);

  it("holds: nothing lost, doubled or reordered, and the distributions came", () => {
    expect(report.checks.filter((check) => !check.ok)).toEqual([]);
    expect(report).toMatchObject({ ok: true, measures: { duplicates: 0, lost: 0, orderViolations: 0 } });
    expect(report.measures.produced).toBeGreaterThan(0);
    expect(report.measures.processed).toBe(report.measures.produced);
    expect(report.phases.map((phase) => phase.name)).toEqual(["initial-balance", "split", "scale", "drain"]);
    expect(run).toMatchObject({ exitCode: 0, out: expect.stringContaining("none lost") });
  });

  it("counted the consumers' calls", () => {
    expect(report.measures.apiCalls).toMatchObject({ "Kinesis.GetRecords": expect.any(Number) });
  });

  it("left a history with every kind of line, so that anyone can check it", () => {
    const lines = readFileSync(join(out, "history.jsonl"), "utf8").trim().split("\n");
    const kinds = new Set(lines.map((line) => JSON.parse(line).type));
    expect([...kinds].toSorted()).toEqual(["batch", "event", "lease", "leases", "put", "record"]);
  });

  it("verify-stream finds what the split left", async () => {
    const { exitCode, out: text } = await evenkeel("verify-stream", "--json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(text)).toMatchObject({ ok: true, status: "ACTIVE", open: 6, closed: 2, uncovered: [] });
  });

  it("a second split-shards does nothing", async () => {
    const { exitCode, out: text } = await evenkeel("split-shards");
    expect({ exitCode, text }).toEqual({ exitCode: 0, text: expect.stringContaining("nothing to do") });
  });

  it("view-distribution and monitor-leases --once agree", async () => {
    const [view, monitor] = await Promise.all([
      evenkeel("view-distribution", "--json"),
      evenkeel("monitor-leases", "--once", "--json"),
    ]);
    const counts = ({ out: text }: Outcome) =>
      JSON.parse(text).workers.map(({ workerId, open }: { workerId: string; open: number }) => [
        workerId,
        open,
      ]);
    expect(view.exitCode).toBe(0);
    expect(counts(view)).toHaveLength(3);
    expect(counts(monitor)).toEqual(counts(view));
    expect(JSON.parse(monitor.out)).toMatchObject({ load: 6, unowned: [], plannedMoves: 0 });
  });

  it("export-lease-data gives the rows in KCL's schema", async () => {
    const rows: { leaseKey: string; checkpoint?: string }[] = JSON.parse(
      (await evenkeel("export-lease-data")).out,
    );
    const leases = rows.filter((row) => row.leaseKey.startsWith("shardId-"));
    expect(leases.length).toBeGreaterThanOrEqual(6);
    for (const lease of leases)
      expect(lease).toMatchObject({ checkpoint: expect.any(String), leaseCounter: expect.any(Number) });
  });

  it("a second experiment is refused while the stack stands", async () => {
    const { exitCode, err } = await evenkeel("experiment");
    expect(exitCode).toBe(1);
    expect(err).toContain("npm run down");
  });
});
