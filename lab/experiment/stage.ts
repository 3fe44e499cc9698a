/**
 * The place an experiment runs in: the embedded endpoint with the stack deployed to it. Opens and closes as a whole;
 * an opening that fails or is interrupted closes what it had opened.
 */
import { type EndpointError, endpointAdmin, findEndpoint, startEndpoint } from "../../local/index.ts";
import { bootstrap, deploy, destroy, type StackContext, synthesize } from "../deployment/cdk.ts";
import { type Clients, clientsFor } from "../deployment/clients.ts";
import { type Deployment, findDeployment, requireDeployment } from "../deployment/outputs.ts";
import { embeddedTarget, type Target } from "../deployment/target.ts";
import { Problem } from "../problem.ts";
import { emptyHistory, historyFolder } from "../project.ts";
import type { ExperimentSettings } from "../settings.ts";

export interface Stage {
  readonly url: string;
  readonly target: Target;
  readonly clients: Clients;
  readonly deployment: Deployment;
  readonly historyDirectory: string;
  /** Destroys the stack, and stops the endpoint when this stage started it. */
  close(ending: Ending): Promise<void>;
}

/** `done`: destroy the stack as a user would. `interrupted`: be gone, the quick way. `keep`: leave all of it running. */
type Ending = "done" | "interrupted" | "keep";

export interface StageOptions {
  readonly settings: ExperimentSettings;
  readonly application: string;
  /** An embedded endpoint that is up already; undefined: the running one, or a new one. */
  readonly endpointUrl: string | undefined;
  readonly signal: AbortSignal;
  /** The endpoint is to go on running when this process is gone. */
  readonly keep: boolean;
  /** The endpoint died under us. */
  readonly onEndpointFailure: (error: EndpointError) => void;
  readonly step: <T>(name: string, text: string, work: () => Promise<T>) => Promise<T>;
}

interface OpenEndpoint {
  readonly url: string;
  /** Undefined: it ran before us and goes on running after us. */
  readonly stop: (() => Promise<void>) | undefined;
  readonly failure: Promise<EndpointError> | undefined;
}

export async function openStage(options: StageOptions): Promise<Stage> {
  const { settings, application, signal, keep, step } = options;
  const historyDirectory = historyFolder(application);
  const context: StackContext = {
    application,
    shards: settings.shards,
    pods: settings.pods,
    producers: 1,
    rate: settings.rate,
    keys: settings.keys,
    historyDirectory,
  };
  // Synthesis needs no endpoint, and the endpoint takes seconds to come up.
  const synthesis = synthesize({ target: NOWHERE, signal }, context);
  synthesis.catch(() => undefined); // awaited below; it may fail before that
  const endpoint = await step("endpoint", "starting the embedded AWS endpoint", () =>
    openEndpoint(options.endpointUrl, keep),
  );
  void endpoint.failure?.then(options.onEndpointFailure);
  const target = embeddedTarget(endpoint.url);
  const clients = clientsFor(target);
  const cdkStep = { target, signal };
  let deployed = false;
  const close = async (ending: Ending) => {
    try {
      // An endpoint of our own forgets the stack when it stops; one that goes on must be left without it.
      if (deployed && (ending === "done" || (ending === "interrupted" && endpoint.stop === undefined)))
        await step("destroy", "cdklocal destroy", () =>
          destroy({ target, signal: new AbortController().signal }, context),
        );
    } finally {
      clients.close();
      if (ending !== "keep") await endpoint.stop?.();
    }
  };
  try {
    if (await findDeployment(clients, application))
      throw new Problem(
        `a stack is deployed at ${endpoint.url} already; take it down with \`npm run down\` first`,
      );
    emptyHistory(application);
    await step("bootstrap", "cdklocal bootstrap, and synthesis", () =>
      Promise.all([bootstrap(cdkStep), synthesis]),
    );
    await endpointAdmin(endpoint.url).resetCalls();
    deployed = true;
    await step("deploy", "cdklocal deploy", () => deploy(cdkStep, application));
    const deployment = await requireDeployment(clients, application);
    return { url: endpoint.url, target, clients, deployment, historyDirectory, close };
  } catch (error) {
    await close("interrupted");
    throw error;
  }
}

/** The app only wants to know that it is an emulator: synthesis contacts nothing. */
const NOWHERE: Target = embeddedTarget("http://127.0.0.1");

async function openEndpoint(named: string | undefined, detached: boolean): Promise<OpenEndpoint> {
  if (named !== undefined) return { url: named, stop: undefined, failure: undefined };
  const running = await findEndpoint();
  if (running) return { url: running.url, stop: undefined, failure: undefined };
  const started = await startEndpoint({ detached });
  return { url: started.url, stop: () => started.stop(), failure: started.failure };
}
