/**
 * The gateway as the endpoint wires it, with two small servers instead of MiniStack and kinesis-local. They
 * answer every complete request with 200, fast enough for a test of thousands of requests.
 */
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ContainerRuntime } from "../../local/containers/runtime.ts";
import { Backend } from "../../local/gateway/backend.ts";
import { CallCounter } from "../../local/gateway/calls.ts";
import { FaultBoard } from "../../local/gateway/faults.ts";
import { gatewayHandler } from "../../local/gateway/handler.ts";
import { GatewayServer } from "../../local/gateway/server.ts";
import { StreamBridge } from "../../local/gateway/stream-bridge.ts";
import { freePorts } from "../../local/settings.ts";
import { Watchdog } from "../../local/watchdog.ts";
import { systemClock } from "../../src/platform.ts";

/** Short, so that a test reaches the end of an idle connection. */
const IDLE_MILLIS = 1_000;

/** All streams here belong to the clients: none was made by a stack. */
function standIn(): Server {
  return createServer((request, response) => {
    const isDescription = request.headers["x-amz-target"] === "Kinesis_20131202.DescribeStreamSummary";
    request.resume().once("end", () => {
      response.writeHead(isDescription ? 400 : 200, { "content-type": "application/json" });
      response.end(isDescription ? '{"__type":"ResourceNotFoundException"}' : "{}");
    });
  });
}

export class GatewayRig {
  readonly port: number;
  readonly faults: FaultBoard;
  readonly problems: unknown[];
  readonly #close: () => Promise<void>;

  private constructor(parts: {
    port: number;
    faults: FaultBoard;
    problems: unknown[];
    close: () => Promise<void>;
  }) {
    this.port = parts.port;
    this.faults = parts.faults;
    this.problems = parts.problems;
    this.#close = parts.close;
  }

  static async open(): Promise<GatewayRig> {
    const folder = mkdtempSync(join(tmpdir(), "evenkeel-fuzz-"));
    const watchdog = new Watchdog(folder);
    const servers = ["ministack", "kinesis"].map((name) => ({ path: join(folder, name), server: standIn() }));
    for (const { path, server } of servers) await once(server.listen(path), "listening");
    const [ministack, kinesis] = servers.map(({ path }) => new Backend("a server", path)) as [
      Backend,
      Backend,
    ];
    const faults = new FaultBoard(
      () => 0.5,
      () => systemClock.monotonicMillis(),
    );
    const problems: unknown[] = [];
    const gateway = new GatewayServer(
      gatewayHandler({
        ministack,
        kinesis,
        faults,
        clock: systemClock,
        calls: new CallCounter(),
        bridge: new StreamBridge({ ministack, kinesis, clock: systemClock }),
        containers: new ContainerRuntime({
          images: {},
          watchdog,
          clock: systemClock,
          workingDirectory: folder,
        }),
        health: async () => ({ ok: true, parts: {} }),
      }),
      (error) => problems.push(error),
      IDLE_MILLIS,
    );
    const { gateway: port } = await freePorts();
    await gateway.listen(port);
    const close = async () => {
      await gateway.close();
      for (const backend of [ministack, kinesis]) backend.close();
      for (const { server } of servers) {
        server.closeAllConnections();
        server.close();
      }
      await watchdog.close(); // removes the folder, too
    };
    return new GatewayRig({ port, faults, problems, close });
  }

  close(): Promise<void> {
    return this.#close();
  }
}
