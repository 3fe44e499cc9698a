/** The deployment a command works on. */
import type { Clients } from "../deployment/clients.ts";
import type { Deployment } from "../deployment/outputs.ts";
import type { Context, GlobalOptions } from "./context.ts";

export interface Site {
  readonly clients: Clients;
  readonly deployment: Deployment;
}

/**
 * Opens the deployment a command works on and closes it when `work` is done. `changes`: what will be changed
 * ("split the stream"): on real AWS that is asked first.
 */
export async function withSite<T>(
  context: Context,
  options: GlobalOptions,
  work: (site: Site) => Promise<T>,
  changes?: string,
): Promise<T> {
  const { requireDeployment } = await import("../deployment/outputs.ts");
  return withClients(
    context,
    options,
    async (clients) => work({ clients, deployment: await requireDeployment(clients, options.application) }),
    changes,
  );
}

/** The same where no stack of ours is needed. */
export async function withClients<T>(
  context: Context,
  options: GlobalOptions,
  work: (clients: Clients) => Promise<T>,
  changes?: string,
): Promise<T> {
  const [{ resolveTarget }, { clientsFor }, { confirmAws }] = await Promise.all([
    import("../deployment/target.ts"),
    import("../deployment/clients.ts"),
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
