import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { BodyTooLarge, readAll } from "../gateway/backend.ts";
import { BadRequest, parseCreateRequest, parseObject } from "./create-request.ts";
import { imageDigest } from "./images.ts";
import type { Container, ContainerRuntime } from "./runtime.ts";

/**
 * MiniStack polls each container twenty times a second. While nothing changes, an answer is held for this
 * long, which saves most of that work on two busy cores. A change is answered at once.
 */
const HOLD_INSPECT_MILLIS = 400;
const MAX_BODY_BYTES = 1024 * 1024;
const API_VERSION = "1.43";
const DEFAULT_GRACE_SECONDS = 10;
/** The longest time that a Fargate task may take. */
const MAX_GRACE_SECONDS = 120;

/** The part of the Docker Engine API that MiniStack's ECS uses, on a unix socket. */
export class DockerApi {
  readonly #runtime: ContainerRuntime;
  readonly #server: Server;
  /** Per container: the state last reported, and the request that waits for the next one. */
  readonly #told = new WeakMap<Container, Container["state"]>();
  readonly #waiting = new WeakMap<Container, AbortController>();

  constructor(runtime: ContainerRuntime, onProblem: (error: unknown) => void) {
    this.#runtime = runtime;
    this.#server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        onProblem(error);
        if (response.headersSent) response.destroy();
        else if (error instanceof BadRequest) send(response, 400, { message: error.message });
        else if (error instanceof BodyTooLarge) send(response, 413, { message: error.message });
        else send(response, 500, { message: String(error) });
      });
    });
  }

  listen(socketPath: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(socketPath, () => resolve());
    });
  }

  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    return closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, url } = addressOf(request.url ?? "/");
    const route = `${request.method} ${path}`;
    if (route === "GET /version")
      return send(response, 200, {
        Version: "24.0.0",
        ApiVersion: API_VERSION,
        MinAPIVersion: "1.24",
        Os: "linux",
        Arch: "amd64",
      });
    if (/^(GET|HEAD) \/_ping$/.test(route)) return send(response, 200, "OK");
    if (route === "GET /containers/json")
      return send(response, 200, this.#list(url.searchParams.get("filters")));
    if (route === "POST /containers/create")
      return this.#create(request, response, url.searchParams.get("name") ?? "");
    if (route === "POST /images/create") return this.#pull(response, url.searchParams);
    const image =
      /^(?:GET \/distribution\/(.+)\/json|GET \/images\/(.+)\/json|POST \/images\/(.+)\/tag)$/.exec(route);
    if (image) return this.#image(response, image[1] ?? image[2] ?? image[3]!, request.method === "POST");
    const one = /^(\w+) \/containers\/([^/]+)(\/\w+)?$/.exec(route);
    const container = one && this.#runtime.find(one[2]!);
    if (one && !container) return send(response, 404, { message: `No such container: ${one[2]}` });
    if (one && container)
      return this.#container(`${one[1]} ${one[3] ?? ""}`, container, url.searchParams, response);
    send(response, 404, { message: `${route} is not part of evenkeel's process runtime` });
  }

  async #container(action: string, container: Container, query: URLSearchParams, response: ServerResponse) {
    switch (action) {
      case "GET /json":
        return this.#inspect(container, response);
      case "GET /logs":
        return this.#logs(container, query.get("follow") === "1" || query.get("follow") === "True", response);
      case "POST /start": {
        const problem = await this.#runtime.start(container);
        return problem ? send(response, 500, { message: problem }) : send(response, 204);
      }
      case "POST /stop":
        // Answered at once. MiniStack stops the tasks of a service one after another, waits for each, and
        // answers no other request meanwhile. ECS stops all of them at the same moment.
        void this.#runtime.stop(container, graceMillis(query.get("t")));
        return send(response, 204);
      case "POST /kill":
        this.#runtime.signal(container.id, query.get("signal") === "SIGTERM" ? "SIGTERM" : "SIGKILL");
        return send(response, 204);
      case "POST /wait": {
        const gone = goneSignal(response);
        while (container.state.status !== "exited" && !gone.aborted)
          await this.#runtime.untilChange(60_000, gone);
        const code = container.state.status === "exited" ? container.state.exitCode : 0;
        return send(response, 200, { StatusCode: code, Error: null });
      }
      case "DELETE ":
        this.#runtime.remove(container);
        return send(response, 204);
    }
    send(response, 404, { message: `${action} is not part of evenkeel's process runtime` });
  }

  /** Holds only the poller's next request. A second request for the same container answers both at once. */
  async #inspect(container: Container, response: ServerResponse): Promise<void> {
    const waiting = this.#waiting.get(container);
    if (waiting) waiting.abort();
    else if (this.#told.get(container) === container.state && container.state.status === "running") {
      const turn = new AbortController();
      this.#waiting.set(container, turn);
      response.once("close", () => turn.abort());
      await this.#runtime.untilChange(HOLD_INSPECT_MILLIS, turn.signal);
      this.#waiting.delete(container);
    }
    this.#told.set(container, container.state);
    send(response, 200, description(container));
  }

  #logs(container: Container, follow: boolean, response: ServerResponse): void {
    response.writeHead(200, { "content-type": "application/vnd.docker.multiplexed-stream" });
    const stop = container.logs.read({ frame: (data) => response.write(data), end: () => response.end() });
    response.once("close", stop);
    if (!follow) response.end();
  }

  #list(filters: string | null) {
    const { label: wanted = [] } = filters ? parseObject(filters, "filters") : {};
    if (!isTextList(wanted)) throw new BadRequest("filters.label: expected an array of texts");
    const matches = ({ labels }: Container) =>
      wanted.every((label) => {
        const [, name = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(label) ?? [];
        return Object.hasOwn(labels, name) && (value === undefined || labels[name] === value);
      });
    return this.#runtime.list().filter(matches).map(summary);
  }

  async #create(request: IncomingMessage, response: ServerResponse, name: string): Promise<void> {
    const wanted = parseCreateRequest(name, (await readAll(request, MAX_BODY_BYTES)).toString("utf8"));
    if (this.#runtime.imageName(wanted.image) === undefined)
      return send(response, 404, { message: `No such image: ${wanted.image}` });
    const created = this.#runtime.create(wanted);
    if (typeof created === "string") return send(response, 500, { message: created });
    send(response, 201, { Id: created.id, Warnings: [] });
  }

  #pull(response: ServerResponse, query: URLSearchParams): void {
    const tag = query.get("tag");
    const image = query.get("fromImage") ?? "";
    const isKnown = this.#runtime.imageName(image) !== undefined;
    if (isKnown) send(response, 200, { status: `Image is up to date for ${image}:${tag}` });
    else send(response, 404, { message: `pull access denied for ${image}, repository does not exist` });
  }

  #image(response: ServerResponse, image: string, isTag: boolean): void {
    const name = this.#runtime.imageName(image);
    if (name === undefined) send(response, 404, { message: `No such image: ${image}` });
    else if (isTag) send(response, 201);
    else send(response, 200, imageDescription(name));
  }
}

/** The path without the version prefix, and the whole URL for its query. */
function addressOf(text: string): { path: string; url: URL } {
  try {
    const url = new URL(text, "http://docker");
    return { path: decodeURIComponent(url.pathname.replace(/^\/v\d+\.\d+/, "")), url };
  } catch {
    throw new BadRequest(`${JSON.stringify(text)} is no path`);
  }
}

/** Parses Docker's `t`, in seconds. */
function graceMillis(text: string | null): number {
  const seconds = Number(text ?? DEFAULT_GRACE_SECONDS);
  if (!Number.isFinite(seconds) || seconds < 0 || seconds > MAX_GRACE_SECONDS)
    throw new BadRequest(`t is ${JSON.stringify(text)}; expected seconds from 0 to ${MAX_GRACE_SECONDS}`);
  return seconds * 1_000;
}

const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === "string");

const isoTime = (epochMillis: number) => new Date(epochMillis).toISOString();
const NEVER = "0001-01-01T00:00:00Z";

function description(container: Container) {
  const { id, name, image, labels, createdAt, state } = container;
  return {
    Id: id,
    Name: `/${name}`,
    Image: image,
    Created: isoTime(createdAt),
    State: {
      Status: state.status,
      Running: state.status === "running",
      Pid: state.status === "running" ? state.pid : 0,
      ExitCode: state.status === "exited" ? state.exitCode : 0,
      StartedAt: state.status === "created" ? NEVER : isoTime(state.startedAt),
      FinishedAt: state.status === "exited" ? isoTime(state.finishedAt) : NEVER,
    },
    Config: { Image: image, Labels: labels, Tty: false },
    HostConfig: { LogConfig: { Type: "json-file", Config: {} } },
    NetworkSettings: { Networks: {} },
  };
}

function imageDescription(name: string) {
  const digest = imageDigest(name);
  const mediaType = "application/vnd.docker.distribution.manifest.v2+json";
  return { Id: digest, RepoTags: [name], Descriptor: { mediaType, digest, size: 0 }, Platforms: [] };
}

function summary({ id, name, image, labels, createdAt, state }: Container) {
  const Created = Math.floor(createdAt / 1000);
  return { Id: id, Names: [`/${name}`], Image: image, Labels: labels, Created, State: state.status };
}

function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  return gone.signal;
}

function send(response: ServerResponse, status: number, value?: unknown): void {
  const body = value === undefined ? "" : JSON.stringify(value);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}
