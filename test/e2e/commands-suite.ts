/**
 * The commands of `evenkeel`, on the state that the small experiment left: 6 open shards, 3 consumers, no
 * producer.
 */
import { expect, it } from "vitest";
import type { Outcome } from "../integration/endpoint/run.ts";

export function commandsSuite(evenkeel: (...args: string[]) => Promise<Outcome>): void {
  it("verify-stream finds what the split left", async () => {
    const { exitCode, out } = await evenkeel("verify-stream", "--json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true, status: "ACTIVE", open: 6, closed: 2, uncovered: [] });
  });

  it("a second split-shards does nothing", async () => {
    const { exitCode, out } = await evenkeel("split-shards");
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: expect.stringContaining("nothing to do") });
  });

  it("view-distribution and monitor-leases --once agree", async () => {
    const [view, monitor] = await Promise.all([
      evenkeel("view-distribution", "--json"),
      evenkeel("monitor-leases", "--once", "--json"),
    ]);
    const counts = ({ out }: Outcome) =>
      JSON.parse(out).workers.map(({ workerId, open }: { workerId: string; open: number }) => [
        workerId,
        open,
      ]);
    expect(view.exitCode).toBe(0);
    expect(counts(view)).toHaveLength(3);
    expect(counts(monitor)).toEqual(counts(view));
    expect(JSON.parse(monitor.out)).toMatchObject({ load: 6, unowned: [], plannedMoves: 0 });
  });

  it("export-lease-data gives the rows in KCL's schema", async () => {
    const { out } = await evenkeel("export-lease-data");
    const rows: { leaseKey: string; checkpoint?: string }[] = JSON.parse(out);
    const leases = rows.filter((row) => row.leaseKey.startsWith("shardId-"));
    expect(leases.length).toBeGreaterThanOrEqual(6);
    for (const lease of leases)
      expect(lease).toMatchObject({ checkpoint: expect.any(String), leaseCounter: expect.any(Number) });
  });
}
