/**
 * A thousand shards on fifty workers: the output stays one page of 80 columns, and states what it left out.
 */
import { describe, expect, it } from "vitest";
import { distributionLines } from "../../../lab/cli/commands/view-distribution.ts";
import { renderExperiment } from "../../../lab/experiment/view.ts";
import { fleetState, type Snapshot } from "../../../lab/fleet/state.ts";
import { emptyMonitor, withSnapshot } from "../../../lab/monitor/monitor.ts";
import { renderMonitor } from "../../../lab/monitor/terminal.ts";
import type { Lease, Member } from "../../../src/inspect.ts";

const SHARDS = 1_000;
const WORKERS = 50;
const worker = (n: number) => `ip-10-0-${n}-17.eu-central-1.compute.internal-${n}`;

const members = Array.from(
  { length: WORKERS },
  (_, n): Member => ({
    workerId: worker(n),
    incarnation: "1",
    heartbeat: 1,
    state: "active",
    maxLeases: 20,
    steals: true,
    failoverTimeMillis: 10_000,
  }),
);

function fleet(ownerOf: (n: number) => string | undefined): Snapshot {
  const leases = Array.from(
    { length: SHARDS },
    (_, n): Lease => ({
      leaseKey: `shardId-${String(n).padStart(12, "0")}`,
      owner: ownerOf(n),
      counter: 1,
      checkpoint: { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 },
      ownerSwitchesSinceCheckpoint: 0,
      parentShardIds: [],
      childShardIds: [],
      hashRange: undefined,
      checkpointOwner: undefined,
    }),
  );
  return { t: 0, leases, corrupt: [], fleetRows: [{ number: 0, version: 1, shardSyncRequests: 0, members }] };
}

const even = fleet((n) => worker(n % WORKERS));
const widest = (lines: readonly string[]) => Math.max(...lines.map((line) => line.length));

describe("1,000 shards on 50 workers", () => {
  it("view-distribution: a line per worker, then the sum", () => {
    const lines = distributionLines(fleetState(even), false);
    expect(widest(lines)).toBeLessThanOrEqual(80);
    expect(lines.filter((line) => line.includes(" active "))).toHaveLength(WORKERS);
    expect(lines.join("\n")).toContain("1000 live shards as 20/20/20/20");
    expect(lines.join("\n")).toContain("(50 workers)");
  });

  it("view-distribution: of many unowned shards it names the first and counts the others", () => {
    const lines = distributionLines(fleetState(fleet(() => undefined)), false);
    expect(widest(lines)).toBeLessThanOrEqual(80);
    expect(lines).toContain("1000 shards have no owner:");
    expect(lines).toContain("  shardId-000000000009");
    expect(lines.at(-1)).toBe("  … 990 more (see --json)");
  });

  it("monitor-leases: as many workers as the screen has room for, and how many more", () => {
    const state = withSnapshot(emptyMonitor("monitor"), even);
    const view = { width: 80, height: 24, colour: false, paused: false, time: () => "10:00:00" };
    const lines = renderMonitor(state, view);
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(widest(lines)).toBeLessThanOrEqual(80);
    expect(lines.join("\n")).toMatch(/… \d+ more workers/);
    expect(lines.join("\n")).toContain("1000 live, 0 unowned");
  });

  it("the experiment's block keeps its width", () => {
    const view = { phases: [], fleet: fleetState(even), flow: undefined };
    expect(widest(renderExperiment(view, 80, false))).toBeLessThanOrEqual(80);
  });
});
