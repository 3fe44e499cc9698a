import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, inject, test } from "vitest";
import {
  type Endpoint,
  EndpointError,
  type EndpointPorts,
  endpointAdmin,
  freePorts,
  startEndpoint,
} from "../../../local/index.ts";
import { familyOf, listenersOf, living } from "./processes.ts";
import { until } from "./until.ts";

const logFolder = mkdtempSync(join(tmpdir(), "lifecycle-test-"));
afterAll(() => rmSync(logFolder, { recursive: true }));

const quiet = async () => ({ ports: await freePorts(), announce: false, logFolder });

/**
 * A supervisor in a process of its own, to be killed. It prints the endpoint's process id when the endpoint
 * is up.
 */
async function startSupervisor(
  ports: EndpointPorts,
): Promise<{ supervisor: ChildProcess; endpointPid: number }> {
  const script = fileURLToPath(new URL("fixtures/supervisor.ts", import.meta.url));
  const supervisor = spawn(
    process.execPath,
    ["--import", "tsx", script, JSON.stringify({ ports, logFolder })],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [line] = (await once(supervisor.stdout!, "data")) as [Buffer];
  return { supervisor, endpointPid: Number(line.toString()) };
}

describe("the endpoint as one unit", () => {
  test("stop leaves no process", async () => {
    const endpoint = await startEndpoint(await quiet());
    const family = familyOf(endpoint.pid);
    // Supervisor, watchdog, MiniStack, kinesis-local.
    expect(family.size).toBeGreaterThanOrEqual(4);
    await endpoint.stop();
    expect(living(family)).toEqual([]);
  });

  test.each(["SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"] as const)(
    "%s of its own process leaves no process",
    async (signal) => {
      const endpoint: Endpoint = await startEndpoint(await quiet());
      const family = familyOf(endpoint.pid);
      process.kill(endpoint.pid, signal);
      await until("no process is left", async () => living(family).length === 0);
      expect(await endpoint.failure).toBeInstanceOf(EndpointError);
    },
  );

  test("kill -9 of the process that started it leaves no process", async () => {
    const { supervisor, endpointPid } = await startSupervisor(await freePorts());
    const family = familyOf(endpointPid);
    expect(family.size).toBeGreaterThanOrEqual(4);
    supervisor.kill("SIGKILL");
    await until("no process is left", async () => living(family).length === 0);
  });

  test("one part ending brings all of it down, and the message names the part and its log", async () => {
    const endpoint = await startEndpoint(await quiet());
    const family = familyOf(endpoint.pid);
    const kinesis = execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" })
      .split("\n")
      .find((line) => line.includes("kinesis-local") && family.has(Number.parseInt(line, 10)));
    process.kill(Number.parseInt(kinesis!, 10), "SIGKILL");
    expect((await endpoint.failure).message).toMatch(
      /kinesis-local stopped unexpectedly .*SIGKILL.*kinesis\.log/,
    );
    await until("no process is left", async () => living(family).length === 0);
  });

  test("a used port is told in one line, with its purpose and the remedy", async () => {
    const options = await quiet();
    const other = createServer().listen(options.ports.gateway, "127.0.0.1");
    await once(other, "listening");
    const problem = await startEndpoint(options).catch((error: unknown) => error);
    other.close();
    expect(problem).toBeInstanceOf(EndpointError);
    expect(problem).toMatchObject({ exitCode: 2, message: expect.not.stringContaining("\n") });
    expect((problem as Error).message).toMatch(
      new RegExp(`^Port ${options.ports.gateway} \\(the AWS endpoint\\) .*EVENKEEL_PORT`),
    );
  });

  // Only Linux has the kernel's tables of sockets there.
  test.runIf(process.platform === "linux")(
    "only the gateway can be reached by a browser: one port, on loopback",
    async () => {
      const endpoint = await startEndpoint(await quiet());
      const listening = listenersOf(familyOf(endpoint.pid));
      await endpoint.stop();
      expect(listening).toEqual([`127.0.0.1:${endpoint.ports.gateway}`]);
    },
  );

  test("a web page is refused, whatever name led it here", async () => {
    const url = inject("endpointUrl");
    const page = await fetch(url, { method: "POST", headers: { origin: "https://evil.example" } });
    expect(page.status).toBe(403);
    expect(page.headers.get("access-control-allow-origin")).toBeNull();
    const { port } = new URL(url);
    const rebound = request({ host: "127.0.0.1", port, headers: { host: `evil.example:${port}` } });
    const [answer] = await once(rebound.end(), "response");
    answer.resume();
    expect(answer.statusCode).toBe(421);
  });

  test("a healthy endpoint says so", async () => {
    const health = await endpointAdmin(inject("endpointUrl")).health();
    expect(health).toEqual({ ok: true, parts: { gateway: true, ministack: true, kinesis: true } });
  });
});
