import { exportLeases } from "../../fleet/lease-export.ts";
import type { Register } from "../context.ts";
import { withSite } from "../site.ts";

export const registerExportLeaseData: Register = (program, context) => {
  program
    .command("export-lease-data")
    .description("the lease table as JSON on stdout")
    .action(async (_local, command) => {
      await withSite(context, command.optsWithGlobals(), async ({ clients, deployment }) =>
        context.printJson(await exportLeases(clients, deployment.leaseTableName)),
      );
    });
};
