/**
 * The test environment of an experiment: the embedded endpoint with the stack deployed to it. It opens and
 * closes as a whole. If opening fails or is interrupted, everything already opened is closed.
 */

import { type EndpointError, endpointAdmin, findEndpoint, startEndpoint } from "../../local/index.ts";
import { PRODUCER_ENVIRONMENT } from "../../services/contract/environment.ts";
import { bootstrap, deploy, destroy, type StackContext, synthesize } from "../aws/cdk.ts";
import { type Clients, clientsFor } from "../aws/clients.ts";
import { type Deployment, findDeployment, requireDeployment } from "../aws/outputs.ts";
import { listShards } from "../aws/stream.ts";
import { embeddedTarget, type Target } from "../aws/target.ts";
import { serviceCounts, taskEnvironment } from "../aws/tasks.ts";
import { CommandError } from "../errors.ts";
import { consumersIn, emptyHistory, historyFolder } from "../project.ts";
import type { ExperimentSettings } from "../settings.ts";
import { type Outcome, obstacles, teardown } from "./found-stack.ts";

export interface TestEnvironment {
  readonly url: string;
  readonly target: Target;
  readonly clients: Clients;
  readonly deployment: Deployment;
  readonly historyDirectory: string;
  /** Destroys the stack and stops the endpoint, each only if this environment created it. */
  close(outcome: Outcome): Promise<void>;
}

export interface TestEnvironmentOptions {
  readonly settings: ExperimentSettings;
  readonly application: string;
  /** An embedded endpoint that is already running. Undefined: use the running one, or start one. */
  readonly endpointUrl: string | undefined;
  readonly signal: AbortSignal;
  /** Keep the endpoint running after this process exits. */
  readonly keep: boolean;
  /** Called if the endpoint dies during the run. */
  readonly onEndpointFailure: (error: EndpointError) => void;
  readonly step: <T>(name: string, text: string, work: () => Promise<T>) => Promise<T>;
}

interface OpenEndpoint {
  readonly url: string;
  /** Undefined: the endpoint was running before and keeps running. */
  readonly stop: (() => Promise<void>) | undefined;
  readonly failure: Promise<EndpointError> | undefined;
}

export async function openEnvironment(options: TestEnvironmentOptions): Promise<TestEnvironment> {
  const { settings, application, signal, keep, step } = options;
  const historyDirectory = historyFolder(application);
  const context = {
    application,
    shards: settings.shards,
    pods: settings.pods,
    producers: 1,
    rate: settings.rate,
    keys: settings.keys,
    historyDirectory,
  } satisfies StackContext;
  // Synthesis needs no endpoint, and the endpoint takes seconds to start.
  const synthesis = synthesize({ target: NOWHERE, signal }, context);
  synthesis.catch(() => undefined); // awaited below; it may fail before that
  const endpoint = await step("endpoint", "the embedded AWS endpoint", () =>
    openEndpoint(options.endpointUrl, keep),
  );
  void endpoint.failure?.then(options.onEndpointFailure);
  const target = embeddedTarget(endpoint.url);
  const clients = clientsFor(target);
  const cdkStep = { target, signal };
  /** Undefined: there is no stack, or none that this experiment may use. */
  let stack: "made" | "found" | undefined;
  const close = async (outcome: Outcome) => {
    const created = { stack: stack === "made", endpoint: endpoint.stop !== undefined };
    const { destroyStack, stopEndpoint } = teardown(outcome, created);
    try {
      if (destroyStack)
        await step("destroy", "cdklocal destroy", () =>
          destroy({ target, signal: new AbortController().signal }, context),
        );
      else if (stack !== undefined && !stopEndpoint)
        await step("destroy", `nothing: ${remains(outcome, settings)}`, async () => undefined);
    } finally {
      clients.close();
      if (stopEndpoint) await endpoint.stop?.();
    }
  };
  try {
    const found = await findDeployment(clients, application);
    if (found) {
      await requireUntouched(clients, found, context);
      stack = "found";
    } else emptyHistory(application);
    await step("bootstrap", "cdklocal bootstrap, and synthesis", () =>
      Promise.all([bootstrap(cdkStep), synthesis]),
    );
    // The call counts of an existing stack are kept: like its history, they cover the time since its
    // deployment.
    if (!found) await endpointAdmin(endpoint.url).resetCalls();
    stack ??= "made";
    await step("deploy", found ? "cdklocal deploy, of a stack that is up" : "cdklocal deploy", () =>
      deploy(cdkStep, application),
    );
    const deployment = await requireDeployment(clients, application);
    return { url: endpoint.url, target, clients, deployment, historyDirectory, close };
  } catch (error) {
    await close("interrupted");
    throw error;
  }
}

async function requireUntouched(
  clients: Clients,
  found: Deployment,
  context: StackContext & { readonly historyDirectory: string },
): Promise<void> {
  const [shards, consumers, producers, producer] = await Promise.all([
    listShards(clients, found.streamName),
    serviceCounts(clients, found, found.consumerServiceName),
    serviceCounts(clients, found, found.producerServiceName),
    taskEnvironment(clients, found, found.producerServiceName),
  ]);
  const openShards = shards.filter((shard) => shard.open).length;
  const why = obstacles(
    {
      openShards,
      closedShards: shards.length - openShards,
      consumers: consumers.desired,
      producers: producers.desired,
      rate: Number(producer[PRODUCER_ENVIRONMENT.rate]),
      keys: Number(producer[PRODUCER_ENVIRONMENT.keys]),
      historyDirectory: producer[PRODUCER_ENVIRONMENT.historyDirectory],
      consumersSeen: consumersIn(context.historyDirectory),
    },
    context,
    context.historyDirectory,
  );
  if (why.length > 0)
    throw new CommandError(
      `the experiment cannot begin on stack ${found.stackName}, which is up: ${why.join("; ")}; take it down with \`npm run down\` first`,
    );
}

const remains = (outcome: Outcome, { splitTo, scaleTo }: ExperimentSettings): string =>
  outcome === "interrupted"
    ? "the stack was up before and stays up, as it is now"
    : `the stack stays up, with ${splitTo} shards, ${scaleTo} consumers and no producer; \`npm run down\` ends it`;

/** The app only checks whether the target is an emulator; synthesis contacts no endpoint. */
const NOWHERE: Target = embeddedTarget("http://127.0.0.1");

async function openEndpoint(named: string | undefined, detached: boolean): Promise<OpenEndpoint> {
  if (named !== undefined) return { url: named, stop: undefined, failure: undefined };
  const running = await findEndpoint();
  if (running) return { url: running.url, stop: undefined, failure: undefined };
  const started = await startEndpoint({ detached });
  return { url: started.url, stop: () => started.stop(), failure: started.failure };
}
