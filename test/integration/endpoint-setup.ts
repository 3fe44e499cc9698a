/**
 * Starts one endpoint for all tests that need it, on free ports, and stops it after them. Tests get its
 * address with `inject("endpointUrl")`; `endpointConfig()` is ready for SDK clients.
 */
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import type { TestProject } from "vitest/node";
import { endpointClientConfig, freePorts, startEndpoint } from "../../local/index.ts";

declare module "vitest" {
  interface ProvidedContext {
    endpointUrl: string;
    endpointPid: number;
  }
}

const fixture = (name: string) => fileURLToPath(new URL(`endpoint/fixtures/${name}`, import.meta.url));

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const endpoint = await startEndpoint({
    ports: await freePorts(),
    announce: false,
    logFolder: fileURLToPath(new URL("../../.evenkeel/logs/test", import.meta.url)),
    images: {
      "test/task": { command: process.execPath, args: [fixture("task.mjs")], variables: ["GREETING"] },
    },
  });
  project.provide("endpointUrl", endpoint.url);
  project.provide("endpointPid", endpoint.pid);
  return endpoint.stop;
}

/** Settings of an AWS SDK client for the shared endpoint. */
export const endpointConfig = () => endpointClientConfig({ url: inject("endpointUrl") });
