import type { Clients } from "../../aws/clients.ts";
import type { RemovedRow } from "../../fleet/cleanup.ts";
import { numberFor } from "../arguments.ts";
import type { GlobalOptions, Register } from "../context.ts";
import { withClients, withSite } from "../site.ts";
import { showSteps } from "../steps.ts";

interface Options extends GlobalOptions {
  readonly table: string | undefined;
  readonly failoverTime: number;
  readonly json: boolean;
}

const CHANGES = "remove a stopped fleet's rows from the lease table";

export const registerCleanup: Register = (program, context) => {
  program
    .command("cleanup")
    .description(
      "remove the fleet's own rows that a crash left in the lease table, so that an older Java KCL can use it; leases stay. Refused while a worker is alive",
    )
    .option("--table <name>", "a lease table without a stack of ours (default: the deployed stack's)")
    .option(
      "--failover-time <ms>",
      "the fleet's failoverTimeMillis: so long its heartbeats are watched",
      numberFor("--failover-time", { min: 1, max: 600_000 }),
      10_000,
    )
    .option("--json", "as JSON")
    .action(async (_local, command) => {
      const options: Options = command.optsWithGlobals();
      const { table } = options;
      if (table === undefined)
        await withSite(
          context,
          options,
          ({ clients, deployment }) => cleanUp(clients, deployment.leaseTableName),
          CHANGES,
        );
      else await withClients(context, options, (clients) => cleanUp(clients, table), CHANGES);

      async function cleanUp(clients: Clients, tableName: string) {
        const { cleanUpFleet } = await import("../../fleet/cleanup.ts");
        const { dynamoDbFleetRows, workersOf } = await import("../../fleet/fleet-rows.ts");
        const rows = dynamoDbFleetRows(clients.dynamoDb, tableName);
        const { clock, signal } = context;
        const seen = await rows.list();
        const workers = seen.flatMap(workersOf).length;
        const steps = showSteps(context);
        const watched = `watching ${workers} workers for ${options.failoverTime / 1_000} s`;
        const removed =
          seen.length === 0
            ? []
            : await steps
                .step("cleanup", watched, () =>
                  cleanUpFleet({ rows, clock, signal, failoverTimeMillis: options.failoverTime }, seen),
                )
                .finally(() => steps.close());
        if (options.json) context.printJson({ table: tableName, removed });
        else context.print(cleanupText(tableName, removed));
      }
    });
};

/** Pure. */
export function cleanupText(tableName: string, removed: readonly RemovedRow[]): string {
  if (removed.length === 0) return `${tableName}: no fleet rows, nothing to do`;
  const workers = removed.flatMap((row) => row.workers);
  const list = workers.length > 0 ? ` (of ${workers.join(", ")})` : "";
  return `${tableName}: ${removed.length} fleet ${removed.length === 1 ? "row" : "rows"} removed${list}; what is left are leases`;
}
