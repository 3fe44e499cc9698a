import type { OutgoingHttpHeaders } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Clock } from "../../src/ports/clock.ts";
import type { ContainerRuntime } from "../containers/runtime.ts";
import { type GatewayRequest, type GatewayResponse, isHttp2 } from "./answers.ts";
import { type Backend, endToEndHeaders, readAll } from "./backend.ts";
import type { CallCounter } from "./calls.ts";
import { answerInstead, happens, spoil } from "./fault-answers.ts";
import type { FaultBoard } from "./faults.ts";
import { callerOf, header, namedInBody, operationOf, type RequestShape } from "./operation.ts";
import { drainStack } from "./stack-drain.ts";
import type { StreamBridge } from "./stream-bridge.ts";
import { resourceIn, streamNameIn } from "./stream-name.ts";

/**
 * AWS's own limits are below this (Kinesis 5 MiB of JSON's base64, Lambda 6 MiB). Larger uploads are S3's and
 * are streamed.
 */
const MAX_BUFFERED_BYTES = 32 * 1024 * 1024;
const RPC_KINESIS = /^\/service\/Kinesis_20131202\/operation\/(\w+)/;
const DEFAULT_DELAY_MILLIS = 1_000;

export interface ProxyDeps {
  ministack: Backend;
  kinesis: Backend;
  bridge: StreamBridge;
  calls: CallCounter;
  faults: FaultBoard;
  containers: ContainerRuntime;
  clock: Clock;
}

/** Answers one AWS request: Kinesis from kinesis-local, everything else from MiniStack. */
export async function proxy(
  request: GatewayRequest,
  response: GatewayResponse,
  parts: ProxyDeps,
): Promise<void> {
  const shape: RequestShape = {
    method: request.method ?? "GET",
    url: request.url ?? "/",
    headers: request.headers,
  };
  const body = isCall(shape) ? await readAll(request, MAX_BUFFERED_BYTES) : undefined;
  const operation = operationOf(shape, body);
  const caller = callerOf(shape);
  parts.calls.add(caller, operation);
  const gone = new AbortController();
  response.once("close", () => gone.abort());

  const rule = parts.faults.match({ caller, operation, resource: () => body && resourceIn(body) });
  if (rule && answerInstead(response, shape, operation, rule)) return;
  if (rule?.fault === "delay") {
    await parts.clock.sleep(rule.delayMillis ?? DEFAULT_DELAY_MILLIS, gone.signal);
    if (gone.signal.aborted) return;
  }
  // A lost answer belongs to a performed call, so a client that disconnects must not abort the call.
  const signal = happens(rule?.fault) ? undefined : gone.signal;
  const answer = operation.startsWith("Kinesis.")
    ? await sendToKinesis(
        shape,
        body ?? (await readAll(request, MAX_BUFFERED_BYTES)),
        operation,
        parts,
        signal,
      )
    : await sendToMiniStack(shape, body ?? request, operation, parts, signal);
  if (rule && happens(rule.fault)) return spoil(response, shape, operation, rule, answer);
  const headers = endToEndHeaders(answer.headers);
  if (RPC_KINESIS.test(shape.url))
    Object.assign(headers, { "content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor" });
  if (isHttp2(response)) response.writeHead(answer.statusCode ?? 502, headers);
  else response.writeHead(answer.statusCode ?? 502, headers);
  await pipeline(answer, response as NodeJS.WritableStream);
}

/** Calls have small bodies that name the operation. Uploads are streamed. */
function isCall(shape: RequestShape): boolean {
  return header(shape, "x-amz-target") !== "" || shape.url.startsWith("/service/") || namedInBody(shape);
}

function forwardedHeaders(shape: RequestShape, body: Buffer | GatewayRequest): OutgoingHttpHeaders {
  const headers = endToEndHeaders(shape.headers);
  headers.host ??= header(shape, ":authority");
  if (Buffer.isBuffer(body)) headers["content-length"] = body.length;
  // Without a length or chunked encoding, the server would read the body as the connection's next request.
  else if (headers["content-length"] === undefined && hasBody(body)) headers["transfer-encoding"] = "chunked";
  return headers;
}

const hasBody = (request: GatewayRequest): boolean =>
  "stream" in request ? !request.stream.endAfterHeaders : request.headers["transfer-encoding"] !== undefined;

async function sendToMiniStack(
  shape: RequestShape,
  body: Buffer | GatewayRequest,
  operation: string,
  parts: ProxyDeps,
  signal: AbortSignal | undefined,
) {
  const { ministack, bridge } = parts;
  bridge.observe(operation);
  const stackName =
    operation === "CloudFormation.DeleteStack" && new URLSearchParams(String(body)).get("StackName");
  if (stackName) await drainStack(stackName, parts);
  const headers = forwardedHeaders(shape, body);
  const answer = await ministack.send({
    method: shape.method,
    path: shape.url,
    headers,
    body,
    ...(signal ? { signal } : {}),
  });
  bridge.observe(operation);
  return answer;
}

async function sendToKinesis(
  shape: RequestShape,
  body: Buffer,
  operation: string,
  { kinesis, bridge }: ProxyDeps,
  signal: AbortSignal | undefined,
) {
  const name = streamNameIn(body);
  if (operation === "Kinesis.ListStreams") await bridge.ensureAll();
  else if (name !== undefined) await bridge.ensure(name);
  const headers = forwardedHeaders(shape, body);
  const rpc = RPC_KINESIS.exec(shape.url);
  if (rpc) {
    // kinesis-local supports CBOR only in the older protocol. The body is the same under another content
    // type.
    headers["x-amz-target"] = `Kinesis_20131202.${rpc[1]}`;
    headers["content-type"] = "application/x-amz-cbor-1.1";
  }
  const answer = await kinesis.send({
    method: shape.method,
    path: rpc ? "/" : shape.url,
    headers,
    body,
    ...(signal ? { signal } : {}),
  });
  if (operation === "Kinesis.DeleteStream" && answer.statusCode === 200 && name)
    await bridge.deletedByClient(name);
  return answer;
}
