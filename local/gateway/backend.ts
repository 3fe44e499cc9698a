import {
  Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
} from "node:http";
import type { Readable } from "node:stream";

export interface BackendRequest {
  method: string;
  path: string;
  headers: OutgoingHttpHeaders;
  /** A buffered body can be sent again; a stream cannot. */
  body: Buffer | Readable;
  signal?: AbortSignal;
}

/**
 * A server behind the gateway: HTTP/1.1 over kept-alive connections, on a unix socket. These servers accept
 * any request and let every web page read the answer. So no browser may reach them; only the gateway does.
 */
export class Backend {
  readonly name: string;
  readonly #socketPath: string;
  // Idle sockets are closed well before either server's own idle limit (60 s and more), so that no request
  // goes to a dead socket.
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256, timeout: 30_000 });

  constructor(name: string, socketPath: string) {
    this.name = name;
    this.#socketPath = socketPath;
  }

  /** Resolves with the head of the answer. The caller reads its body. */
  send({ method, path, headers, body, signal }: BackendRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.#socketPath, agent: this.#agent, method, path, headers };
      const outgoing = request(signal ? { ...options, signal } : options);
      outgoing.once("response", resolve);
      outgoing.once("error", reject);
      if (Buffer.isBuffer(body)) outgoing.end(body);
      else body.pipe(outgoing);
    });
  }

  /** One call of a JSON 1.1 operation, e.g. `Kinesis_20131202.DescribeStreamSummary`. */
  async call(target: string, input: object): Promise<{ status: number; output: Record<string, unknown> }> {
    const service = target.startsWith("Kinesis") ? "kinesis" : "unsigned";
    const answer = await this.send({
      method: "POST",
      path: "/",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": target,
        // Neither server verifies signatures. Both read the account and the region from the scope.
        "x-amz-date": "20000101T000000Z",
        authorization: `AWS4-HMAC-SHA256 Credential=test/20000101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`,
      },
      body: Buffer.from(JSON.stringify(input)),
    });
    const text = (await readAll(answer)).toString("utf8");
    return { status: answer.statusCode ?? 0, output: text === "" ? {} : JSON.parse(text) };
  }

  close(): void {
    this.#agent.destroy();
  }
}

export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
}

/** Throws `BodyTooLarge` above the limit. */
export async function readAll(stream: Readable, limitBytes = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > limitBytes) throw new BodyTooLarge(`the body is larger than ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/**
 * Headers that belong to one connection and not to the message (RFC 9110 §7.6.1). HTTP/2's pseudo-headers are
 * removed too.
 */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "http2-settings",
]);

export function endToEndHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const kept: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !name.startsWith(":") && !HOP_BY_HOP.has(name)) kept[name] = value;
  return kept;
}
