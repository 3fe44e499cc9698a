/** The live page's server: one page, one stream of changes, and the buttons' requests. On loopback only. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { randomSuffix } from "../../../src/platform.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import { CommandError, messageOf } from "../../errors.ts";
import { actionText, type FleetActions, parseAction, perform } from "./actions.ts";
import { clientScript } from "./client-script.ts";
import { nameOf } from "./dashboard-state.ts";
import { dataHeaders, pageHeaders, refusal } from "./guard.ts";
import { LiveDashboard } from "./live-dashboard.ts";
import { renderLivePage } from "./page.ts";
import type { SnapshotSource } from "./snapshot-source.ts";

export interface LivePageOptions {
  readonly source: SnapshotSource;
  /** Undefined: no buttons. */
  readonly actions: FleetActions | undefined;
  /** 0: any free port. */
  readonly port: number;
  readonly clock: Clock;
}

export interface LivePage {
  readonly url: string;
  readonly port: number;
  readonly live: LiveDashboard;
  close(): Promise<void>;
}

const HOST = "127.0.0.1";
const FIRST_SIGHT_MILLIS = 700;
const MAX_VIEWERS = 30;
const MAX_BODY_BYTES = 4_096;
/** A viewer with more unsent data than this is disconnected. It reconnects and gets the whole state. */
const MAX_UNSENT_BYTES = 8_000_000;
const HEARTBEAT_MILLIS = 5_000;

/** @throws Problem when the port cannot be used. */
export async function serveLivePage(options: LivePageOptions): Promise<LivePage> {
  const { source, actions, clock } = options;
  const script = await clientScript();
  const token = randomSuffix(32);
  const live = new LiveDashboard(source, clock);
  const closing = new AbortController();
  const underWay = new Set<string>();
  let port = options.port;

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else answer(response, 500, { error: messageOf(error) });
    });
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? "GET";
    const path = request.url?.split("?")[0] ?? "/";
    const refused = refusal({ method, path, port, headers: request.headers }, token);
    if (refused) return answer(response, refused.status, { error: refused.message });
    if (method === "GET" && path === "/") return page(response);
    if (method === "GET" && path === "/events") return events(response);
    const kind = /^\/orders\/(\w+)$/.exec(path)?.[1];
    if (method === "POST" && kind !== undefined && actions !== undefined)
      return order(actions, kind, request, response);
    answer(response, 404, { error: `there is no ${path} here` });
  }

  async function page(response: ServerResponse): Promise<void> {
    const dashboard = await live.firstSight(FIRST_SIGHT_MILLIS);
    const nonce = randomSuffix(24);
    const { measured } = live;
    const text = renderLivePage({
      dashboard,
      script,
      nonce,
      token,
      measured,
      now: clock.wallMillis(),
      controls: actions !== undefined,
    });
    response.writeHead(200, pageHeaders(nonce)).end(text);
  }

  function events(response: ServerResponse): void {
    if (live.viewerCount >= MAX_VIEWERS) {
      answer(response, 503, { error: `${MAX_VIEWERS} pages are open already; close some` });
      return;
    }
    response.writeHead(200, dataHeaders("text/event-stream"));
    const send = (event: string, data: object) => {
      if (response.writableLength > MAX_UNSENT_BYTES) return void response.destroy();
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    };
    response.write("retry: 1000\n\n");
    const leave = live.join((change) => send("change", { now: clock.wallMillis(), change }));
    // Includes the token of this run: a page that outlives the server then works with the server's successor.
    send("board", { now: clock.wallMillis(), token, dashboard: live.dashboard });
    const gone = new AbortController();
    response.on("close", () => {
      gone.abort();
      leave();
    });
    void beat(response, AbortSignal.any([gone.signal, closing.signal]), send);
  }

  /** Lets a page detect that the server stopped sending. */
  async function beat(response: ServerResponse, signal: AbortSignal, send: (e: string, d: object) => void) {
    while (!signal.aborted) {
      await clock.sleep(HEARTBEAT_MILLIS, signal);
      if (!signal.aborted) send("beat", { now: clock.wallMillis() });
    }
    response.end();
  }

  async function order(
    able: FleetActions,
    kind: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    try {
      const wanted = parseAction(kind, await bodyOf(request));
      if (wanted === undefined) return answer(response, 404, { error: `nothing is called ${kind} here` });
      if (underWay.has(kind)) return answer(response, 409, { error: `a ${kind} is under way; wait for it` });
      underWay.add(kind);
      try {
        live.note(actionText(wanted, (id) => nameOf(live.dashboard, id)));
        const text = await perform(able, wanted);
        live.note(text, "good");
        answer(response, 200, { text });
      } finally {
        underWay.delete(kind);
      }
    } catch (error) {
      const misused = error instanceof CommandError && error.exitCode === 2;
      if (!misused) live.note(`${kind} did not work: ${messageOf(error)}`, "bad");
      answer(response, misused ? 400 : 502, { error: messageOf(error) });
    }
  }

  server.listen(port, HOST);
  try {
    await once(server, "listening"); // rejects at an error event
  } catch (error) {
    throw portProblem(error, port);
  }
  port = (server.address() as AddressInfo).port;
  return {
    url: `http://${HOST}:${port}`,
    port,
    live,
    async close() {
      closing.abort();
      server.close();
      await live.close();
      server.closeAllConnections();
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { ...dataHeaders("application/json"), connection: "close" })
    .end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES)
      throw new CommandError(`the request is larger than ${MAX_BODY_BYTES} bytes`, 2);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function portProblem(error: unknown, port: number): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === "EADDRINUSE")
    return new CommandError(`port ${port} is in use; give another with --port, or --port 0 for any free one`);
  if (code === "EACCES")
    return new CommandError(`port ${port} may not be used by you; give one above 1023 with --port`);
  return error;
}
