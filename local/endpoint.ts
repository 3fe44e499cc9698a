import { createWriteStream, existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Clock } from "../services/shared/clock.ts";
import type { Random } from "../services/shared/random.ts";
import { DockerApi } from "./containers/docker-api.ts";
import { type ImageTable, projectImages } from "./containers/images.ts";
import { ContainerRuntime } from "./containers/runtime.ts";
import { EndpointError } from "./errors.ts";
import { ADMIN_PATH, admin } from "./gateway/admin.ts";
import { Backend, readAll } from "./gateway/backend.ts";
import { CallCounter } from "./gateway/calls.ts";
import { FaultBoard } from "./gateway/faults.ts";
import { proxy } from "./gateway/proxy.ts";
import { GatewayServer } from "./gateway/server.ts";
import { StreamBridge } from "./gateway/stream-bridge.ts";
import { Part } from "./part.ts";
import { type EndpointPorts, projectRoot, requireFreePorts, runtimeFolder } from "./settings.ts";
import { REGION } from "./tool-environment.ts";
import { Watchdog } from "./watchdog.ts";

/** ECS allows more; MiniStack's own stop gives 5 s, and the stack's hand-over budget is 4 s. */
const TASK_STOP_GRACE_MILLIS = 5_000;

export interface UnitOptions {
  ports: EndpointPorts;
  /** Images beside evenkeel/consumer and evenkeel/producer. */
  images: ImageTable;
  logFolder: string;
  clock: Clock;
  random: Random;
  /** One part ended by itself; the unit has stopped the others when this is called. */
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
  // In the temporary folder, not in the clone: a unix socket's path has room for about 100 bytes.
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
  const ministack = new Backend("MiniStack", ports.ministack);
  const kinesis = new Backend("kinesis-local", ports.kinesis);
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
    (request, response) =>
      request.url?.startsWith(ADMIN_PATH)
        ? admin(request, response, { calls, faults, containers, health })
        : proxy(request, response, { ministack, kinesis, bridge, calls, faults, containers, clock }),
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
            ...["-m", "hypercorn", "ministack.app:app", "--bind", `127.0.0.1:${ports.ministack}`],
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
          ...kinesisProgram(),
          environment: kinesisEnvironment(ports),
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

/** Nothing of the user's AWS settings goes in: a task must not reach a real account by accident. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(AWS_|CDK_|npm_|DOCKER_|NODE_OPTIONS$)/.test(name),
  );
  return Object.fromEntries(kept);
}

function ministackEnvironment(unit: {
  ports: EndpointPorts;
  folder: string;
  socketPath: string;
}): NodeJS.ProcessEnv {
  return {
    ...cleanEnvironment(),
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    DOCKER_HOST: `unix://${unit.socketPath}`,
    // The port it tells Lambda functions and tasks: the gateway's, not its own.
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

/** kinesis-local listens on every interface; the preload keeps its listeners on loopback. */
const LOOPBACK_ONLY = `data:text/javascript,${encodeURIComponent(`
import { Server } from "node:net";
const listen = Server.prototype.listen;
Server.prototype.listen = function (first, ...rest) {
  const options = typeof first === "object" && first !== null ? first : { port: first };
  const callback = rest.filter((argument) => typeof argument === "function");
  return listen.call(this, { ...options, host: "127.0.0.1" }, ...callback);
};
`)}`;

function kinesisProgram(): { args: string[]; workingDirectory: string } {
  const main = createRequire(join(projectRoot(), "package.json")).resolve("kinesis-local/main.js");
  return { args: ["--import", LOOPBACK_ONLY, main], workingDirectory: dirname(main) };
}

function kinesisEnvironment(ports: EndpointPorts): NodeJS.ProcessEnv {
  // Changes of a stream take half a second there by default; AWS's take many, but waiting for them shows nothing.
  const quick = "100ms";
  return {
    ...cleanEnvironment(),
    KINESIS_MOCK_PLAIN_PORT: String(ports.kinesis),
    KINESIS_MOCK_TLS_PORT: String(ports.kinesisTls),
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
