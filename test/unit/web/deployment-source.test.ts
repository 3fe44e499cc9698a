import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { deploymentSource } from "../../../lab/monitor/web/deployment-source.ts";
import { systemClock } from "../../../src/platform.ts";
import { snapshotOf } from "../../browser/scripted-source.ts";

it("tells the fleet, and fresh history in the order of its time across files", async () => {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-source-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const now = systemClock.wallMillis();
  const batch = (worker: string, t: number) =>
    appendFileSync(
      join(folder, `${worker}.jsonl`),
      `${JSON.stringify({ type: "batch", t, worker, shardId: "a", count: 1, readAt: t - 5 })}\n`,
    );
  batch("ann", now - 3_600_000);
  batch("ann", now - 10);
  batch("bob", now - 20);
  const table = {
    snapshot: async () => snapshotOf({ owners: { 0: "ann" }, members: ["ann"] }, now),
    fleetVersion: async () => 1,
  };
  const source = deploymentSource({ title: "t", table, historyFolder: folder, clock: systemClock });
  const stopping = new AbortController();
  const told: unknown[] = [];
  await source.watch(
    {
      state: ({ fleet }) => {
        told.push(fleet?.load);
        stopping.abort();
      },
      event: (event) => void told.push(["worker" in event && event.worker, event.t - now]),
    },
    stopping.signal,
  );
  expect(source.measured).toBe(true);
  expect(told).toEqual([["bob", -20], ["ann", -10], 1]);
});
