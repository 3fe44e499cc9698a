/** The deployment that a command works on. */
import type { Clients } from "../aws/clients.ts";
import type { Deployment } from "../aws/outputs.ts";
import type { Context, GlobalOptions } from "./context.ts";

export interface Site {
  readonly clients: Clients;
  readonly deployment: Deployment;
}

/**
 * Opens the deployment that a command works on, and closes it after `work`. `changes` describes the change
 * ("split the stream"); on real AWS the user must confirm it first.
 */
export async function withSite<T>(
  context: Context,
  options: GlobalOptions,
  work: (site: Site) => Promise<T>,
  changes?: string,
): Promise<T> {
  const { requireDeployment } = await import("../aws/outputs.ts");
  return withClients(
    context,
    options,
    async (clients) => work({ clients, deployment: await requireDeployment(clients, options.application) }),
    changes,
  );
}

/** The same for commands that need no deployed stack. */
export async function withClients<T>(
  context: Context,
  options: GlobalOptions,
  work: (clients: Clients) => Promise<T>,
  changes?: string,
): Promise<T> {
  const [{ resolveTarget }, { clientsFor }, { confirmAws }] = await Promise.all([
    import("../aws/target.ts"),
    import("../aws/clients.ts"),
    import("./confirm.ts"),
  ]);
  const target = await resolveTarget({ aws: options.aws, environment: process.env });
  const clients = clientsFor(target);
  try {
    if (target.kind === "aws") await confirmAws(clients, context, changes, options.yes);
    return await work(clients);
  } finally {
    clients.close();
  }
}
