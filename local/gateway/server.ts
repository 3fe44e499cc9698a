import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type GatewayRequest, type GatewayResponse, sendAwsError } from "./answers.ts";
import { BodyTooLarge } from "./backend.ts";
import { refusal } from "./guard.ts";

/** Idle timeout of a connection: longer than the pause between two requests of any client of this project. */
const IDLE_MILLIS = 75_000;

export type Handler = (request: GatewayRequest, response: GatewayResponse) => Promise<void>;

/**
 * Serves HTTP/1.1 and HTTP/2 with prior knowledge on one port; the SDK's Kinesis client uses the latter. The
 * first bytes of a connection decide: no HTTP/1.1 method used by AWS starts with "PRI".
 */
export class GatewayServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(handle: Handler, onProblem: (error: unknown) => void, idleMillis: number = IDLE_MILLIS) {
    const answer = (request: GatewayRequest, response: GatewayResponse) => {
      const shape = { method: request.method ?? "", url: request.url ?? "", headers: request.headers };
      const refused = refusal(shape);
      if (refused !== undefined) return sendAwsError(response, shape, refused);
      handle(request, response).catch((error: unknown) => {
        // The client has disconnected, so no answer can be sent.
        if (response.destroyed || response.closed) return;
        onProblem(error);
        if (response.headersSent) response.destroy();
        else sendAwsError(response, shape, failure(error));
      });
    };
    const http1 = createHttpServer({ keepAliveTimeout: idleMillis, requestTimeout: 0 }, answer);
    http1.on("clientError", refuseGarbage);
    const http2 = createHttp2Server({}, answer);
    http2.on("sessionError", onProblem);
    // Node stops reading from a session that broke the protocol, so it does not notice that the client
    // disconnects. The timeout ends the session.
    http2.on("session", (session) => session.setTimeout(idleMillis, () => session.close()));
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      // A reset by the client needs no handling, but without a listener it would end the process.
      socket.on("error", () => socket.destroy());
      socket.once("readable", () => {
        const first: Buffer | null = socket.read();
        if (first === null) return socket.destroy();
        socket.unshift(first);
        const isHttp2 = first.toString("latin1", 0, 3) === "PRI";
        (isHttp2 ? http2 : http1).emit("connection", socket);
      });
    });
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  /** Cuts every connection: the whole endpoint is stopping. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    return closed;
  }
}

/** Answers a request that is not HTTP/1.1 as Node would, with a message. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const body = JSON.stringify({ __type: "BadRequest", message: `this is no HTTP request: ${error.message}` });
  const head = [
    "HTTP/1.1 400 Bad Request",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  socket.end([...head, "connection: close", "", body].join("\r\n"));
}

function failure(error: unknown) {
  const reason = error instanceof Error ? error.message : String(error);
  if (error instanceof BodyTooLarge) return { status: 413, code: "RequestEntityTooLarge", message: reason };
  return { status: 503, code: "ServiceUnavailable", message: `The endpoint could not answer: ${reason}` };
}
