import { createWriteStream, existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Clock } from "../src/ports/clock.ts";
import type { Random } from "../src/ports/random.ts";
import { DockerApi } from "./containers/docker-api.ts";
import { type ImageTable, projectImages } from "./containers/images.ts";
import { ContainerRuntime } from "./containers/runtime.ts";
import { EndpointError } from "./errors.ts";
import { Backend, readAll } from "./gateway/backend.ts";
import { CallCounter } from "./gateway/calls.ts";
import { FaultBoard } from "./gateway/faults.ts";
import { gatewayHandler } from "./gateway/handler.ts";
import { GatewayServer } from "./gateway/server.ts";
import { StreamBridge } from "./gateway/stream-bridge.ts";
import { Part } from "./part.ts";
import { type EndpointPorts, projectRoot, requireFreePorts, runtimeFolder } from "./settings.ts";
import { isolatedEnvironment, REGION } from "./tool-environment.ts";
import { Watchdog } from "./watchdog.ts";

/** ECS allows more time. MiniStack's own stop allows 5 s, and the stack's hand-over budget is 4 s. */
const TASK_STOP_GRACE_MILLIS = 5_000;

export interface UnitOptions {
  ports: EndpointPorts;
  /** Images in addition to evenkeel/consumer and evenkeel/producer. */
  images: ImageTable;
  logFolder: string;
  clock: Clock;
  random: Random;
  /** A part ended by itself. By the time of this call, the other parts are stopped. */
  onFailure: (error: EndpointError) => void;
}

export interface EndpointUnit {
  stop: () => Promise<void>;
}

/** Starts every part of the endpoint, with the gateway in this process. Resolves when all of them answer. */
export async function runEndpoint(options: UnitOptions): Promise<EndpointUnit> {
  const { ports, clock, logFolder } = options;
  const root = projectRoot();
  const python = join(runtimeFolder(root), "python/bin/python");
  if (!existsSync(python))
    throw new EndpointError("The local AWS endpoint is not installed yet: run `node tools/setup.mjs`", 2);
  await requireFreePorts(ports);
  mkdirSync(logFolder, { recursive: true });
  // In the temporary folder, not in the clone: the path of a unix socket is limited to about 100 bytes.
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-"));
  const watchdog = new Watchdog(folder);
  const problems = createWriteStream(join(logFolder, "gateway.log"), { flags: "w" });
  const onProblem = (error: unknown) => {
    problems.write(
      `${new Date(clock.wallMillis()).toISOString()} ${error instanceof Error ? error.stack : error}\n`,
    );
  };

  const images = { ...projectImages(join(runtimeFolder(root), "build")), ...options.images };
  const containers = new ContainerRuntime({ images, watchdog, clock, workingDirectory: root });
  const sockets = { ministack: join(folder, "ministack.sock"), kinesis: join(folder, "kinesis-1.sock") };
  const ministack = new Backend("MiniStack", sockets.ministack);
  const kinesis = new Backend("kinesis-local", sockets.kinesis);
  const bridge = new StreamBridge({ ministack, kinesis, clock });
  const docker = new DockerApi(containers, onProblem);
  const calls = new CallCounter();
  const faults = new FaultBoard(
    () => options.random.next(),
    () => clock.monotonicMillis(),
  );
  const answers = {
    ministack: () => responds(ministack, "/_ministack/health"),
    kinesis: () => responds(kinesis, "/healthcheck"),
  };
  const health = async () => {
    const [ofMinistack, ofKinesis] = await Promise.all([answers.ministack(), answers.kinesis()]);
    const parts = { gateway: true, ministack: ofMinistack, kinesis: ofKinesis };
    return { ok: ofMinistack && ofKinesis, parts };
  };
  const gateway = new GatewayServer(
    gatewayHandler({ ministack, kinesis, bridge, calls, faults, containers, clock, health }),
    onProblem,
  );

  const parts: Part[] = [];
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= (async () => {
      await containers.close(TASK_STOP_GRACE_MILLIS);
      await Promise.all(parts.map((part) => part.stop()));
      await Promise.all([gateway.close(), docker.close()]);
      ministack.close();
      kinesis.close();
      problems.end();
      await watchdog.close();
    })();
    return stopping;
  };
  const onPartFailure = (error: EndpointError) => {
    if (stopping) return;
    void stop().then(() => options.onFailure(error));
  };

  try {
    const socketPath = join(folder, "docker.sock");
    await docker.listen(socketPath);
    await gateway.listen(ports.gateway);
    const shared = { watchdog, clock };
    parts.push(
      new Part(
        {
          ...shared,
          name: "MiniStack",
          command: python,
          args: [
            ...["-m", "hypercorn", "ministack.app:app", "--bind", `unix:${sockets.ministack}`],
            ...["--workers", "0", "--keep-alive", "75", "--log-level", "WARNING"],
          ],
          workingDirectory: folder,
          environment: ministackEnvironment({ ports, folder, socketPath }),
          logFile: join(logFolder, "ministack.log"),
          answers: answers.ministack,
        },
        onPartFailure,
      ),
      new Part(
        {
          ...shared,
          name: "kinesis-local",
          command: process.execPath,
          ...kinesisProgram(folder),
          environment: kinesisEnvironment(),
          logFile: join(logFolder, "kinesis.log"),
          answers: answers.kinesis,
        },
        onPartFailure,
      ),
    );
    await Promise.all(parts.map((part) => part.ready()));
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function responds(backend: Backend, path: string): Promise<boolean> {
  try {
    const answer = await backend.send({ method: "GET", path, headers: {}, body: Buffer.alloc(0) });
    await readAll(answer);
    return (answer.statusCode ?? 500) < 500;
  } catch {
    return false;
  }
}

function ministackEnvironment(unit: {
  ports: EndpointPorts;
  folder: string;
  socketPath: string;
}): NodeJS.ProcessEnv {
  return {
    ...isolatedEnvironment(process.env),
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    DOCKER_HOST: `unix://${unit.socketPath}`,
    // The port that MiniStack passes to Lambda functions and tasks: the gateway's, not its own.
    GATEWAY_PORT: String(unit.ports.gateway),
    HOSTNAME: "",
    IOT_MTLS_ENABLED: "0",
    LAMBDA_EXECUTOR: "local",
    LOG_LEVEL: "WARNING",
    MINISTACK_REGION: REGION,
    PYTHONUNBUFFERED: "1",
    S3_DATA_DIR: join(unit.folder, "s3"),
    SFTP_ENABLED: "0",
    STATE_DIR: join(unit.folder, "state"),
    TMPDIR: unit.folder,
  };
}

/**
 * kinesis-local listens on TCP ports of every interface. This preload makes it listen on the socket
 * `kinesis-N.sock` instead of port N. It also sets the addresses that kinesis-local reads from its
 * connections.
 */
const onSockets = (folder: string): string => `
import { Server } from "node:net";
const host = { value: "127.0.0.1" };
const port = { value: 1 };
const ends = { remoteAddress: host, remotePort: port, localAddress: host, localPort: port };
const listen = Server.prototype.listen;
Server.prototype.listen = function (first, ...rest) {
  const { port } = typeof first === "object" && first !== null ? first : { port: first };
  const callback = rest.filter((argument) => typeof argument === "function");
  this.address = () => ({ address: host.value, family: "IPv4", port });
  this.prependListener("connection", (socket) => Object.defineProperties(socket, ends));
  return listen.call(this, { path: ${JSON.stringify(folder)} + "/kinesis-" + port + ".sock" }, ...callback);
};
`;

function kinesisProgram(folder: string): { args: string[]; workingDirectory: string } {
  const main = createRequire(join(projectRoot(), "package.json")).resolve("kinesis-local/main.js");
  const preload = `data:text/javascript,${encodeURIComponent(onSockets(folder))}`;
  return { args: ["--import", preload, main], workingDirectory: dirname(main) };
}

function kinesisEnvironment(): NodeJS.ProcessEnv {
  // kinesis-local's default for a stream change is half a second. AWS takes many seconds, but waiting here
  // would show nothing.
  const quick = "100ms";
  return {
    ...isolatedEnvironment(process.env),
    KINESIS_MOCK_PLAIN_PORT: "1",
    KINESIS_MOCK_TLS_PORT: "2",
    AWS_REGION: REGION,
    SHARD_LIMIT: "5000",
    LOG_LEVEL: "ERROR",
    CREATE_STREAM_DURATION: quick,
    DELETE_STREAM_DURATION: quick,
    MERGE_SHARDS_DURATION: quick,
    SPLIT_SHARD_DURATION: quick,
    UPDATE_SHARD_COUNT_DURATION: quick,
  };
}
