import { leaseTable } from "../../fleet/lease-table.ts";
import { distribution, type FleetState, fleetState, shortWorker } from "../../fleet/state.ts";
import { paint } from "../../terminal/paint.ts";
import { renderTable } from "../../terminal/table.ts";
import type { Register } from "../context.ts";
import { withSite } from "../site.ts";

export const registerViewDistribution: Register = (program, context) => {
  program
    .command("view-distribution")
    .description("leases per worker, now; exit 1 when a shard has no owner")
    .option("--json", "as JSON")
    .action(async (_local, command) => {
      const options = command.optsWithGlobals();
      await withSite(context, options, async ({ clients, deployment }) => {
        const table = leaseTable(clients, deployment.leaseTableName, context.clock);
        const state = fleetState(await table.snapshot());
        if (options.json) context.printJson(distributionData(state));
        else for (const line of distributionLines(state, context.colour)) context.print(line);
        if (state.unowned.length > 0 || state.corrupt.length > 0) context.notOk();
      });
    });
};

const distributionData = ({
  workers,
  unowned,
  load,
  draining,
  blocked,
  ended,
  corrupt,
  leases,
}: FleetState) => ({
  workers: workers.map((worker) => ({
    ...worker,
    cap: worker.cap ?? null,
    leases: leases.filter((lease) => lease.owner === worker.workerId).map((lease) => lease.leaseKey),
  })),
  load,
  unowned,
  draining,
  blocked,
  ended,
  corrupt,
});

/** Pure. */
export function distributionLines(state: FleetState, colour: boolean): string[] {
  const style = paint(colour);
  if (state.leases.length === 0)
    return ["no leases yet: no worker has joined (`npx evenkeel consumer` starts one)"];
  const rows = state.workers.map((worker) => [
    shortWorker(worker.workerId, 36),
    worker.state,
    String(worker.open + worker.draining),
    worker.draining > 0 ? String(worker.draining) : "",
    worker.cap === undefined ? "-" : String(worker.cap),
  ]);
  const count = (title: string) => ({ title, align: "right" as const });
  return [
    ...renderTable(
      [{ title: "worker" }, { title: "state" }, count("leases"), count("draining"), count("cap")],
      rows,
    ),
    "",
    `${state.load} live shards as ${distribution(state) || "nothing"}`,
    `${state.draining} draining, ${state.blocked} blocked by a parent, ${state.ended} ended`,
    ...(state.unowned.length > 0 ? [style.red(`${state.unowned.length} shards have no owner:`)] : []),
    ...first(state.unowned, (leaseKey) => style.red(`  ${leaseKey}`)),
    ...first(state.corrupt, (row) => style.red(`unreadable lease row ${row}`)),
  ];
}

const MAX_NAMED = 10;

function first(all: readonly string[], line: (one: string) => string): string[] {
  const hidden = all.length - MAX_NAMED;
  return [...all.slice(0, MAX_NAMED).map(line), ...(hidden > 0 ? [`  … ${hidden} more (see --json)`] : [])];
}
