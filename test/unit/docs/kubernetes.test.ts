/** The probes of docs/kubernetes.md, as printed on the page. */
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { inProject } from "../../../lab/project.ts";
import type { WorkerHealth } from "../../../src/index.ts";

const probes = /```js\n(createServer.*?)```/s.exec(
  readFileSync(inProject("docs/kubernetes.md"), "utf8"),
)?.[1];

it("answer by the worker's health", async () => {
  let health: WorkerHealth = { live: true, ready: false, reasons: ["the worker is joining"] };
  const worker = { health: () => health, start: async () => undefined, stop: async () => [] };
  const servers: Server[] = [];
  // On a free port, whatever port the page names.
  const listening = (listener: RequestListener) => {
    const server = createServer(listener);
    servers.push(server);
    return { listen: () => server.listen(0, "127.0.0.1") };
  };
  const run = new Function("createServer", "worker", "process", `return (async () => {${probes}})()`);
  await run(listening, worker, { once: () => undefined, exit: () => undefined });
  const [server] = servers as [Server];
  onTestFinished(() => void server.close());
  if (!server.listening) await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;

  expect([await status("/healthz"), await status("/readyz"), await status("/")]).toEqual([200, 503, 503]);
  health = { live: true, ready: true, reasons: [] };
  expect([await status("/healthz"), await status("/readyz")]).toEqual([200, 200]);
  health = { live: false, ready: false, reasons: ["ended"] };
  expect([await status("/healthz"), await status("/readyz")]).toEqual([503, 503]);
});
