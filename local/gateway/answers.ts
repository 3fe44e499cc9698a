import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import { header, namedInBody, type RequestShape } from "./operation.ts";

export type GatewayRequest = IncomingMessage | Http2ServerRequest;
export type GatewayResponse = ServerResponse | Http2ServerResponse;

export function isHttp2(response: GatewayResponse): response is Http2ServerResponse {
  return "stream" in response;
}

/**
 * Closes the exchange without an answer. The client gets a broken connection, as after a lost packet or a
 * crash.
 */
export function cutOff(response: GatewayResponse): void {
  if (isHttp2(response)) response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else response.socket?.destroy();
}

export function sendHead(response: GatewayResponse, status: number, headers: Record<string, string>): void {
  // The two classes have the same method with incompatible types.
  if (isHttp2(response)) response.writeHead(status, headers);
  else response.writeHead(status, headers);
}

export function sendBody(
  response: GatewayResponse,
  status: number,
  type: string,
  body: string | Buffer,
): void {
  sendHead(response, status, { "content-type": type, "content-length": String(Buffer.byteLength(body)) });
  response.end(body);
}

export const sendJson = (response: GatewayResponse, status: number, value: unknown): void =>
  sendBody(response, status, "application/json", JSON.stringify(value));

const XML_ENTITIES: Readonly<Record<string, string>> = {
  "<": "&lt;",
  ">": "&gt;",
  "&": "&amp;",
  '"': "&quot;",
};
const xmlText = (text: string): string => text.replaceAll(/[<>&"]/g, (character) => XML_ENTITIES[character]!);

/** An AWS error in the protocol of the request. */
export function sendAwsError(
  response: GatewayResponse,
  request: RequestShape,
  { status, code, message }: { status: number; code: string; message: string },
): void {
  const type = header(request, "content-type");
  if (type.includes("cbor")) {
    if (request.url.startsWith("/service/")) response.setHeader("smithy-protocol", "rpc-v2-cbor");
    response.setHeader("x-amzn-errortype", code);
    sendBody(response, status, type, cborMap({ __type: code, message }));
  } else if (namedInBody(request) || header(request, "authorization").includes("/s3/aws4_request")) {
    const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${xmlText(message)}</Message></Error>`;
    sendBody(
      response,
      status,
      "text/xml",
      namedInBody(request) ? `<ErrorResponse>${error}</ErrorResponse>` : error,
    );
  } else {
    response.setHeader("x-amzn-errortype", code);
    sendBody(
      response,
      status,
      type || "application/x-amz-json-1.1",
      JSON.stringify({ __type: code, message }),
    );
  }
}

/** Encodes a map of a few short strings as CBOR. */
function cborMap(entries: Record<string, string>): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    const head = bytes.length < 24 ? [0x60 + bytes.length] : [0x79, bytes.length >> 8, bytes.length & 0xff];
    return Buffer.concat([Buffer.from(head), bytes]);
  };
  const parts = Object.entries(entries).flatMap(([key, value]) => [text(key), text(value)]);
  return Buffer.concat([Buffer.from([0xa0 + Object.keys(entries).length]), ...parts]);
}
