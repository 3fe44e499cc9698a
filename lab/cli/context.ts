/** What every command gets: output, time, the stop signal, and the deployment it works on. */
import type { Command } from "commander";
import type { Clock } from "../../services/shared/clock.ts";
import type { Clients } from "../deployment/clients.ts";
import type { Deployment } from "../deployment/outputs.ts";

export interface GlobalOptions {
  readonly aws: boolean;
  readonly yes: boolean;
  readonly application: string;
  readonly verbose: boolean;
}

export interface Context {
  readonly clock: Clock;
  /** Aborts at the first Ctrl-C (or SIGTERM). */
  readonly signal: AbortSignal;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly colour: boolean;
  /** A line on stdout. */
  print(line: string): void;
  /** Data on stdout, as JSON. */
  printJson(value: unknown): void;
  /** A line on stderr: progress and remarks, never data. */
  note(line: string): void;
  /** The command ran, but what it looked at is not ok: exit 1 without an error line. */
  notOk(): void;
}

export type Register = (program: Command, context: Context) => void;

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
  const [{ resolveTarget }, { clientsFor }, { requireDeployment }, { confirmAws }] = await Promise.all([
    import("../deployment/target.ts"),
    import("../deployment/clients.ts"),
    import("../deployment/outputs.ts"),
    import("./confirm.ts"),
  ]);
  const target = await resolveTarget({ aws: options.aws, environment: process.env });
  const clients = clientsFor(target);
  try {
    if (target.kind === "aws") await confirmAws(clients, context, changes, options.yes);
    return await work({ clients, deployment: await requireDeployment(clients, options.application) });
  } finally {
    clients.close();
  }
}
