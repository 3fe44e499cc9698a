/** An HTTP endpoint that answers AWS calls as a test defines, and records them. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync } from "node:zlib";

export interface Call {
  /** `ListShards`, from the X-Amz-Target header. */
  readonly operation: string;
  readonly body: Record<string, unknown>;
  readonly headers: IncomingHttpHeaders;
}

export interface Answer {
  readonly status?: number;
  readonly body?: object;
  /** Sent unchanged, instead of `body`. */
  readonly text?: string;
  /** Nothing is sent, the connection stays open. */
  readonly hang?: true;
  /** The answer begins and never ends. */
  readonly stall?: true;
  /** The connection is cut. */
  readonly cut?: true;
}

export interface AnsweringServer {
  readonly url: string;
  readonly calls: Call[];
  /** Connections that clients have opened so far. */
  connections(): number;
  close(): Promise<void>;
}

export const failure = (type: string, status = 400): Answer => ({
  status,
  body: { __type: type, message: `${type} it is` },
});

/** `answer` receives the call and the number of earlier calls. */
export async function startAnswering(
  answer: (call: Call, before: number) => Answer,
): Promise<AnsweringServer> {
  const calls: Call[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const call = {
        operation: String(request.headers["x-amz-target"]).split(".").at(-1) ?? "",
        body: JSON.parse(plain(Buffer.concat(chunks), request.headers).toString() || "{}"),
        headers: request.headers,
      };
      calls.push(call);
      const { status = 200, body = {}, text, hang, stall, cut } = answer(call, calls.length - 1);
      if (hang) return;
      if (cut) return request.socket.destroy();
      response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
      if (stall) return response.write("{");
      response.end(text ?? JSON.stringify(body));
    });
  });
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    connections: () => sockets.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The SDK compresses large bodies of metrics. */
const plain = (body: Buffer, headers: IncomingHttpHeaders): Buffer =>
  headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
