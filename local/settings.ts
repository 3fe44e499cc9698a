import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EndpointError } from "./errors.ts";

/** The TCP ports of the endpoint, all on 127.0.0.1. */
export interface EndpointPorts {
  /** The one address that clients use: default 4566, as LocalStack's. */
  gateway: number;
  ministack: number;
  kinesis: number;
  kinesisTls: number;
}

const PORT_NAMES: { port: keyof EndpointPorts; variable: string; purpose: string }[] = [
  { port: "gateway", variable: "EVENKEEL_PORT", purpose: "the AWS endpoint" },
  { port: "ministack", variable: "EVENKEEL_MINISTACK_PORT", purpose: "MiniStack" },
  { port: "kinesis", variable: "EVENKEEL_KINESIS_PORT", purpose: "kinesis-local" },
  { port: "kinesisTls", variable: "EVENKEEL_KINESIS_TLS_PORT", purpose: "kinesis-local's TLS listener" },
];

/**
 * Ports from the environment: EVENKEEL_PORT is the gateway's (default 4566), the others default to the three after it.
 * Throws EndpointError (exit 2) for anything that is not a port.
 */
export function portsFromEnvironment(environment: NodeJS.ProcessEnv): EndpointPorts {
  const gateway = readPort(environment, "EVENKEEL_PORT", 4566);
  return {
    gateway,
    ministack: readPort(environment, "EVENKEEL_MINISTACK_PORT", gateway + 1),
    kinesis: readPort(environment, "EVENKEEL_KINESIS_PORT", gateway + 2),
    kinesisTls: readPort(environment, "EVENKEEL_KINESIS_TLS_PORT", gateway + 3),
  };
}

function readPort(environment: NodeJS.ProcessEnv, variable: string, fallback: number): number {
  const text = environment[variable];
  const port = text === undefined || text === "" ? fallback : Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new EndpointError(`${variable} is "${text ?? port}": expected a port number from 1 to 65535`, 2);
  return port;
}

/** Resolves when every port is free; otherwise throws an EndpointError that names the first used one. */
export async function requireFreePorts(ports: EndpointPorts): Promise<void> {
  for (const { port, variable, purpose } of PORT_NAMES) {
    const number = ports[port];
    if (await isFree(number)) continue;
    throw new EndpointError(
      `Port ${number} (${purpose}) is already in use: stop what uses it, or choose another with ${variable}=<port>`,
      2,
    );
  }
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

/** Four free ports, for tests that run beside other endpoints. */
export async function freePorts(): Promise<EndpointPorts> {
  const [gateway, ministack, kinesis, kinesisTls] = await Promise.all([
    anyPort(),
    anyPort(),
    anyPort(),
    anyPort(),
  ]);
  return { gateway, ministack, kinesis, kinesisTls };
}

function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

/** The project's folder: the nearest one upwards from this file (source or bundle) with evenkeel's package.json. */
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
