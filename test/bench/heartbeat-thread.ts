/**
 * What a thread for the heartbeat would cost: resident memory of a process without one, with an empty one,
 * with one that holds a keep-alive https client and has made a call, and with one that holds the SDK's
 * DynamoDB client. Run it with `npx tsx`; each figure is from a process of its own
 * (docs/adr/0007-no-heartbeat-thread.md).
 */
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { createSecureContext } from "node:tls";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../src/platform.ts";

const MIB = 1_048_576;
const RUNS = 5;

const KEEP = "setInterval(() => undefined, 60_000);";
const READY = "require('node:worker_threads').parentPort.postMessage('ready');";
const THREADS: Readonly<Record<string, (port: number) => string | undefined>> = {
  "no thread": () => undefined,
  "an empty thread": () => `${READY} ${KEEP}`,
  // Loads the modules and the certificates of https. The call itself is plain, so that no certificate need be
  // made.
  "a thread with https": (port) => `
    require("node:https");
    require("node:tls").createSecureContext();
    const http = require("node:http");
    http.get({ port: ${port}, agent: new http.Agent({ keepAlive: true, maxSockets: 1 }) }, (answer) => {
      answer.resume();
      answer.on("end", () => { ${READY} });
    });
    ${KEEP}`,
  "a thread with the SDK's client": (port) => `
    const { DynamoDBClient, GetItemCommand } = require("@aws-sdk/client-dynamodb");
    const client = new DynamoDBClient({ region: "us-east-1", endpoint: "http://localhost:${port}", maxAttempts: 1,
      credentials: { accessKeyId: "a", secretAccessKey: "b" } });
    client.send(new GetItemCommand({ TableName: "t", Key: { leaseKey: { S: "k" } } })).then(() => { ${READY} });
    ${KEEP}`,
};

async function residentMib(name: string): Promise<number> {
  // A worker's own clients have loaded these.
  createSecureContext();
  const server = createServer((_, answer) => answer.end("{}"));
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as { port: number };
  const code = THREADS[name]!(port);
  if (code !== undefined) {
    const limits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 };
    const options = { eval: true, execArgv: [], env: { ...process.env, NODE_NO_WARNINGS: "1" } };
    const thread = new Worker(code, { ...options, resourceLimits: limits });
    await new Promise((resolve, reject) => {
      thread.once("message", resolve);
      thread.once("error", reject);
    });
  }
  await systemClock.sleep(1_000);
  global.gc?.();
  return process.memoryUsage().rss / MIB;
}

const asked = process.argv[2];
if (asked !== undefined) {
  process.stdout.write(String(await residentMib(asked)));
  process.exit(0);
}
let without = 0;
for (const name of Object.keys(THREADS)) {
  const runs = Array.from({ length: RUNS }, () =>
    Number(execFileSync(process.execPath, [...process.execArgv, "--expose-gc", import.meta.filename, name])),
  ).toSorted((a, b) => a - b);
  const median = runs[Math.floor(RUNS / 2)]!;
  if (name === "no thread") without = median;
  process.stdout.write(`${name}: ${median.toFixed(1)} MiB, ${(median - without).toFixed(1)} more\n`);
}
