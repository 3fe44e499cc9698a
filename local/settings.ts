import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EndpointError } from "./errors.ts";

/** The endpoint's TCP ports, on 127.0.0.1. Everything behind the gateway listens on unix sockets. */
export interface EndpointPorts {
  /** The only address for clients. Default: 4566, LocalStack's port. */
  gateway: number;
}

/**
 * The gateway's port: EVENKEEL_PORT, default 4566. Throws EndpointError (exit code 2) for an invalid port.
 */
export function portsFromEnvironment(environment: NodeJS.ProcessEnv): EndpointPorts {
  const text = environment.EVENKEEL_PORT || "4566";
  const gateway = Number(text);
  if (!Number.isInteger(gateway) || gateway < 1 || gateway > 65535)
    throw new EndpointError(`EVENKEEL_PORT is "${text}": expected a port number from 1 to 65535`, 2);
  return { gateway };
}

/** Resolves if the port is free; otherwise throws an EndpointError that names it. */
export async function requireFreePorts({ gateway }: EndpointPorts): Promise<void> {
  if (await isFree(gateway)) return;
  throw new EndpointError(
    `Port ${gateway} (the AWS endpoint) is already in use: stop what uses it, or choose another with EVENKEEL_PORT=<port>`,
    2,
  );
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(false);
      else reject(error);
    });
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** A port that is free now, for tests that run beside other endpoints. */
export function freePorts(): Promise<EndpointPorts> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address
          ? resolve({ gateway: address.port })
          : reject(new Error("no port")),
      );
    });
  });
}

/**
 * The project's folder: the nearest folder above this file (source or bundle) with evenkeel's package.json.
 */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (folder !== dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).name === "evenkeel") return folder;
    folder = dirname(folder);
  }
  throw new EndpointError(
    "The embedded endpoint runs from a clone of evenkeel, and no such folder is above this file",
    2,
  );
}

export const runtimeFolder = (root = projectRoot()): string => join(root, ".evenkeel");
