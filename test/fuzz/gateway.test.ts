/** Whatever is sent to the gateway, it answers in words that a client understands, and continues. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { ADMIN_HEADER } from "../../local/gateway/admin.ts";
import { readAll } from "../../local/gateway/backend.ts";
import { FAULT_KINDS } from "../../local/gateway/faults.ts";
import { GatewayRig } from "./gateway-rig.ts";
import { RUNS, TIMEOUT_MILLIS } from "./runs.ts";

vi.setConfig({ testTimeout: TIMEOUT_MILLIS });

/** Longer than any answer takes on a busy machine. A request without an answer fails the test after it. */
const ANSWER_MILLIS = 10_000;

let rig: GatewayRig;
beforeAll(async () => {
  rig = await GatewayRig.open();
});
afterEach(() => rig.faults.remove());
afterAll(() => rig.close());

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

async function send({ method, path, headers, body }: Sent) {
  const outgoing = request({
    ...{ host: "127.0.0.1", port: rig.port, agent: false, method, path },
    // GET, HEAD and similar methods may have a body, too.
    headers: { ...headers, "content-length": body.length },
    signal: AbortSignal.timeout(ANSWER_MILLIS),
  });
  outgoing.end(body);
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  const text = (await readAll(answer)).toString("utf8");
  return { status: answer.statusCode ?? 0, type: answer.headers["content-type"] ?? "", text };
}

/** An error is JSON, XML or CBOR with a code, and contains no stack and no path of this machine. */
function expectClearAnswer(
  { status, type, text }: { status: number; type: string; text: string },
  method: string,
) {
  expect(status).toBeGreaterThanOrEqual(200);
  expect(status).toBeLessThan(600);
  expect(text).not.toMatch(/\n\s+at |node:internal|\.ts:\d/);
  if (status < 400 || method === "HEAD") return;
  if (type.includes("xml")) expect(text).toMatch(/<Code>\w+<\/Code><Message>[^<>]*<\/Message>/);
  else if (type.includes("cbor")) expect(text).toContain("__type");
  else expect(JSON.parse(text)).toMatchObject(text.includes('"error"') ? { error: expect.any(String) } : {});
}

const isAlive = async () =>
  expect(
    await send({
      method: "GET",
      path: "/_evenkeel/health",
      headers: { [ADMIN_HEADER]: "1" },
      body: new Uint8Array(),
    }),
  ).toMatchObject({ status: 200 });

const methods = fc.constantFrom("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "PROPFIND");
const latin1 = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  maxLength: 60,
});
const urlText = fc.string({
  unit: fc.constantFrom(..."abcZ019/?&=%.#;:@!~*'()_-+,{}[]|\\\"`^<>\u00e9\u00ff"),
  maxLength: 40,
});
const targets = fc.oneof(
  latin1,
  fc
    .tuple(
      fc.constantFrom("Kinesis_20131202", "DynamoDB_20120810", "__proto__", "", "constructor"),
      fc.constantFrom(
        "PutRecords",
        "ListStreams",
        "DescribeStreamSummary",
        "DeleteStream",
        "__proto__",
        "",
        "x".repeat(500),
      ),
    )
    .map((parts) => parts.join(".")),
);
const headers = fc.record(
  {
    "x-amz-target": targets,
    "content-type": fc.oneof(
      latin1,
      fc.constantFrom(
        "application/x-www-form-urlencoded",
        "application/x-amz-cbor-1.1",
        "application/json",
        "text/html",
      ),
    ),
    authorization: fc.oneof(
      latin1,
      fc
        .constantFrom("kinesis", "s3", "lambda", "", "__proto__")
        .map((service) => `AWS4-HMAC-SHA256 Credential=a/20000101/us-east-1/${service}/aws4_request`),
    ),
    "user-agent": fc.oneof(
      latin1,
      latin1.map((text) => `app/${text}`),
    ),
    [ADMIN_HEADER]: fc.constantFrom("1", "2", ""),
  },
  { requiredKeys: [] },
);
const bodies = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.json().map((text) => Buffer.from(text)),
  fc.constantFrom("StreamName", "StreamARN").map((key) => Buffer.from(`{"${key}":`)),
  fc
    .tuple(fc.constantFrom("StreamName", "StreamARN"), fc.integer({ min: 0x60, max: 0x7f }), fc.nat(255))
    .map(([key, head, length]) =>
      Buffer.concat([Buffer.from([0x60 + key.length]), Buffer.from(key), Buffer.from([head, length])]),
    ),
  fc
    .constantFrom("Action=DeleteStack&StackName=x", "Action=", "Action=%", "a=b")
    .map((text) => Buffer.from(text)),
);

describe("any request", () => {
  it("over HTTP/1.1 is answered, and the gateway lives", async () => {
    const paths = fc.oneof(
      urlText.map((text) => `/${text}`),
      urlText.map((text) => `/service/Kinesis_20131202/operation/${text}`),
      urlText.map((text) => `http://${text}`),
    );
    await fc.assert(
      fc.asyncProperty(methods, paths, headers, bodies, async (method, path, given, body) => {
        expectClearAnswer(await send({ method, path, headers: given, body }), method);
      }),
      { numRuns: RUNS },
    );
    await isAlive();
  });

  it("over HTTP/2 is answered, and the gateway lives", async () => {
    const session = connectHttp2(`http://127.0.0.1:${rig.port}`);
    await fc.assert(
      fc.asyncProperty(methods, urlText, headers, bodies, async (method, path, given, body) => {
        const stream = session.request(
          { ...given, [constants.HTTP2_HEADER_METHOD]: method, [constants.HTTP2_HEADER_PATH]: `/${path}` },
          { signal: AbortSignal.timeout(ANSWER_MILLIS), endStream: false },
        );
        stream.end(body);
        const [answer] = (await once(stream, "response")) as [Record<string, string | number>];
        const text = (await readAll(stream)).toString("utf8");
        expectClearAnswer(
          { status: Number(answer[":status"]), type: String(answer["content-type"] ?? ""), text },
          method,
        );
      }),
      { numRuns: RUNS },
    );
    session.close();
    await isAlive();
  });

  it("of the admin path is answered with JSON", async () => {
    const paths = fc.oneof(
      urlText,
      fc.constantFrom("health", "calls", "faults", "processes", "faults/x", "processes/x/signal"),
      urlText.map((text) => `processes/${text}/signal`),
      urlText.map((text) => `faults?id=${text}`),
    );
    await fc.assert(
      fc.asyncProperty(methods, paths, headers, bodies, async (method, path, given, body) => {
        const sent = { method, path: `/_evenkeel/${path}`, headers: { ...given, [ADMIN_HEADER]: "1" }, body };
        const answer = await send(sent);
        expect(answer.status).toBeOneOf([200, 400, 404]);
        if (method !== "HEAD") JSON.parse(answer.text);
      }),
      { numRuns: RUNS },
    );
    await isAlive();
  });

  it("that would be a fault is taken or refused in words, and a fault taken is one of those there are", async () => {
    const odd = fc.oneof(fc.jsonValue(), fc.integer(), fc.double(), fc.string());
    const faults = fc.record(
      {
        operation: fc.oneof(odd, fc.constantFrom("Kinesis.*", "DynamoDB.Scan", "Kinesis.GetRecords")),
        fault: fc.oneof(odd, fc.constantFrom(...FAULT_KINDS)),
        id: odd,
        caller: odd,
        probability: odd,
        times: odd,
        delayMillis: odd,
        unknown: odd,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(faults, fc.jsonValue()), async (value) => {
        rig.faults.remove();
        const { status, text } = await send({
          method: "POST",
          path: "/_evenkeel/faults",
          headers: { [ADMIN_HEADER]: "1" },
          body: Buffer.from(JSON.stringify(value)),
        });
        if (status === 200) expect(FAULT_KINDS).toContain(JSON.parse(text).fault);
        else
          expect({ status, ...JSON.parse(text) }).toEqual({
            status: 400,
            error: expect.stringMatching(/^[^\n]+$/),
          });
        expect(rig.faults.list()).toHaveLength(status === 200 ? 1 : 0);
      }),
      { numRuns: RUNS },
    );
  });
});

describe("what is no request", () => {
  /** Resolves when the gateway has closed the connection, or has read everything and waits for more. */
  async function sendRaw(bytes: Uint8Array): Promise<void> {
    const socket = connect(rig.port, "127.0.0.1");
    socket.on("error", () => undefined); // a reset is an answer, too
    socket.resume();
    socket.end(bytes);
    await once(socket, "close", { signal: AbortSignal.timeout(ANSWER_MILLIS) });
  }

  it("any bytes, and any bytes after the beginnings of both protocols, end their connection only", async () => {
    const beginnings = fc.constantFrom(
      "",
      "P",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\n",
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
      "CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    );
    await fc.assert(
      fc.asyncProperty(beginnings, fc.uint8Array({ maxLength: 200 }), async (beginning, rest) => {
        await sendRaw(Buffer.concat([Buffer.from(beginning), rest]));
      }),
      {
        numRuns: RUNS,
        // A SETTINGS frame of an impossible length: Node answers it with GOAWAY and keeps the session.
        examples: [["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Uint8Array.of(0, 0, 1, 4, 0, 0, 0, 0, 0)]],
      },
    );
    await isAlive();
  });

  it("a body above the limit is refused, and the gateway lives", async () => {
    const answer = await send({
      method: "POST",
      path: "/",
      headers: { "x-amz-target": "Kinesis_20131202.PutRecords" },
      body: Buffer.alloc(33 * 1024 * 1024),
    }).catch((error: NodeJS.ErrnoException) => error.code);
    // The answer comes while the body is still being sent, so the client may notice first that the connection
    // ends.
    if (typeof answer === "string") expect(answer).toMatch(/^(EPIPE|ECONNRESET)$/);
    else expect(answer).toMatchObject({ status: 413, text: expect.stringContaining("larger than") });
    await isAlive();
  });
});
