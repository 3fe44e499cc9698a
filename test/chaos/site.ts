/**
 * What all rows share: one endpoint, the worker program, and a watchdog, so that no process outlives the
 * campaign.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KinesisClient } from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { type Clients, clientsFor } from "../../lab/aws/clients.ts";
import { childEnvironment, embeddedTarget } from "../../lab/aws/target.ts";
import { inProject } from "../../lab/project.ts";
import {
  type Endpoint,
  type EndpointAdmin,
  endpointAdmin,
  freePorts,
  startEndpoint,
} from "../../local/index.ts";
import { Watchdog } from "../../local/watchdog.ts";
import { bundleFile } from "../bench/program.ts";
import { ConsumerProcess } from "./consumer-process.ts";
import type { ConsumerInput } from "./protocol.ts";
import { logFolder } from "./said.ts";

export const historyFolder = (rowFolder: string): string => join(rowFolder, "history");

export interface Site {
  readonly url: string;
  readonly admin: EndpointAdmin;
  readonly clients: Clients;
  /** For the load: one try per call, because a second would put records twice. */
  readonly loadClient: KinesisClient;
  /** Empties the folder of one row and returns its path. */
  folderOf(name: string): string;
  startConsumer(start: { readonly caller: string; readonly input: ConsumerInput }): ConsumerProcess;
  /** Ends every worker and the endpoint. */
  close(): Promise<void>;
}

/**
 * @param folder below `.evenkeel`, for the files of the rows
 * @param running an endpoint that others started, and that is left running
 */
export async function openSite(folder: string, running?: { readonly url: string }): Promise<Site> {
  const root = inProject(".evenkeel", folder);
  mkdirSync(root, { recursive: true });
  const program = await bundleFile(inProject("test/chaos/programs/consumer.ts"), "chaos-consumer");
  let own: Endpoint | undefined;
  if (running === undefined)
    own = await startEndpoint({
      ports: await freePorts(),
      announce: false,
      logFolder: inProject(".evenkeel", "logs", folder),
    });
  const { url } = running ?? own!;
  const target = embeddedTarget(url);
  const environment = childEnvironment(target, process.env);
  const clients = clientsFor(target);
  const loadClient = new KinesisClient({
    ...{ endpoint: url, region: target.region, maxAttempts: 1 },
    ...(target.credentials !== undefined && { credentials: target.credentials }),
    requestHandler: new NodeHttpHandler({ requestTimeout: 5_000, throwOnRequestTimeout: true }),
  });
  // Ends the workers, also paused ones, when this process is killed.
  const watchdog = new Watchdog(mkdtempSync(join(tmpdir(), "evenkeel-chaos-")));
  return {
    url,
    admin: endpointAdmin(url),
    clients,
    loadClient,
    folderOf(name) {
      const path = join(root, name);
      rmSync(path, { recursive: true, force: true });
      for (const part of [historyFolder(path), logFolder(path)]) mkdirSync(part, { recursive: true });
      return path;
    },
    startConsumer({ caller, input }) {
      const worker = new ConsumerProcess(program, input, { caller, environment });
      watchdog.add(worker.pid);
      void worker.ended.then(() => watchdog.remove(worker.pid));
      return worker;
    },
    async close() {
      await watchdog.close();
      clients.close();
      loadClient.destroy();
      await own?.stop();
    },
  };
}
