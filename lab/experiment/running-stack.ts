/** `up` and `down`: the endpoint and the deployed stack, kept running for work by hand. */
import { findEndpoint, startEndpoint } from "../../local/index.ts";
import { bootstrap, deploy, destroy, type StackContext, synthesize } from "../aws/cdk.ts";
import { type Clients, clientsFor } from "../aws/clients.ts";
import { historyName } from "../aws/history.ts";
import { type Deployment, findDeployment, requireDeployment } from "../aws/outputs.ts";
import { resolveTarget, type Target } from "../aws/target.ts";
import { consumersWanted } from "../aws/tasks.ts";
import { CommandError, Interrupted } from "../errors.ts";
import { emptyHistory, historyFolder } from "../project.ts";

type Step = <T>(name: string, text: string, work: () => Promise<T>) => Promise<T>;

export interface RunningStackOptions {
  readonly context: StackContext;
  readonly aws: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly step: Step;
  /** Real AWS: asks before anything is created or deleted. */
  readonly confirm: (clients: Clients) => Promise<void>;
}

export interface RunningStack {
  readonly target: Target;
  readonly deployment: Deployment;
  /**
   * Desired consumer tasks. Undefined: the endpoint has no ECS, so the stack's services exist in name only.
   */
  readonly consumers: number | undefined;
}

/** Starts what is not running and deploys. A second run updates the deployment. */
export async function bringUp(options: RunningStackOptions): Promise<RunningStack> {
  const { signal, step } = options;
  const target = await runningTarget(options);
  const clients = clientsFor(target);
  try {
    if (target.kind === "aws") await options.confirm(clients);
    const context = contextFor(options.context, target);
    if (target.kind !== "aws" && (await findStack(clients, context.application)) === "none")
      emptyHistory(historyName(target, context.application));
    const cdkStep = { target, signal };
    await step("bootstrap", "bootstrap, and synthesis", () =>
      Promise.all([bootstrap(cdkStep), synthesize(cdkStep, context)]),
    );
    await step("deploy", "deploy", () => deploy(cdkStep, context.application));
    const deployment = await requireDeployment(clients, context.application);
    return { target, deployment, consumers: await consumersWanted(clients, deployment) };
  } finally {
    clients.close();
  }
}

/** An endpoint that was named or is already running; else a new one that outlives this process. */
async function runningTarget(options: RunningStackOptions): Promise<Target> {
  const { aws, environment, signal, step } = options;
  if (!aws && !environment.AWS_ENDPOINT_URL && !(await findEndpoint())) {
    const endpoint = await step("endpoint", "starting the embedded AWS endpoint", () =>
      startEndpoint({ detached: true }),
    );
    if (signal.aborted) {
      await endpoint.stop();
      throw new Interrupted("up");
    }
  }
  return resolveTarget({ aws, environment });
}

/** History files are written only if the tasks run on this machine. */
function contextFor(context: StackContext, target: Target): StackContext {
  if (target.kind !== "embedded") return context;
  return { ...context, historyDirectory: historyFolder(context.application) };
}

/**
 * Destroys the stack and stops the embedded endpoint. Returns whether there was anything to remove; nothing
 * to remove is not an error.
 */
export async function takeDown(options: RunningStackOptions): Promise<"nothing" | "done"> {
  const { aws, environment, signal, step } = options;
  const running = await findEndpoint();
  if (!aws && !environment.AWS_ENDPOINT_URL && !running) return "nothing";
  const target = await resolveTarget({ aws, environment });
  const clients = clientsFor(target);
  let found = false;
  try {
    if (target.kind === "aws") await options.confirm(clients);
    found = (await findStack(clients, options.context.application)) !== "none";
    if (found)
      await step("destroy", "destroy", () =>
        destroy({ target, signal }, contextFor(options.context, target)),
      );
  } finally {
    clients.close();
  }
  // An endpoint that does not belong to this clone (a test's own) is left to its owner.
  if (running === undefined || running.url !== target.endpointUrl) return found ? "done" : "nothing";
  await step("endpoint", "stopping the embedded AWS endpoint", () => running.stop());
  return "done";
}

/** A half-made stack exists but has no outputs. */
async function findStack(clients: Clients, application: string): Promise<"none" | "half-made" | "deployed"> {
  try {
    return (await findDeployment(clients, application)) === undefined ? "none" : "deployed";
  } catch (error) {
    if (error instanceof CommandError) return "half-made";
    throw error;
  }
}
