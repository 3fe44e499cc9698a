import { exportLeases } from "../../deployment/lease-export.ts";
import { type Register, withSite } from "../context.ts";

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
