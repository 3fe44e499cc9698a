/** The client's answer to a call that a fault hits. */

import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { cutOff, type GatewayResponse, isHttp2, sendAwsError, sendBody, sendHead } from "./answers.ts";
import { readAll } from "./backend.ts";
import type { FaultKind, FaultRule } from "./faults.ts";
import { header, namedInBody, type RequestShape } from "./operation.ts";

/** The call is performed in full, whatever the client does; only its answer is damaged. */
export const happens = (fault: FaultKind | undefined): boolean =>
  fault === "drop" || fault === "cut" || fault === "fail-after";

/** Answers in place of the service. False: this fault lets the service answer. */
export function answerInstead(
  response: GatewayResponse,
  shape: RequestShape,
  operation: string,
  rule: FaultRule,
): boolean {
  switch (rule.fault) {
    case "blackhole":
      return true;
    case "empty":
      sendNothing(response, shape);
      return true;
    case "throttle":
    case "fail":
    case "error":
    case "conflict":
      sendFault(response, shape, operation, rule);
      return true;
    default:
      return false;
  }
}

/** Damages the answer of a performed call: the client gets none of it, or only a part. */
export async function spoil(
  response: GatewayResponse,
  shape: RequestShape,
  operation: string,
  rule: FaultRule,
  answer: IncomingMessage,
): Promise<void> {
  const body = await readAll(answer);
  if (rule.fault === "fail-after") return sendFault(response, shape, operation, rule);
  if (rule.fault === "cut") {
    sendHead(response, answer.statusCode ?? 502, {
      "content-type": answer.headers["content-type"] ?? "application/octet-stream",
      "content-length": String(body.length),
    });
    const half = body.subarray(0, Math.floor(body.length / 2));
    // The two classes have the same method with incompatible types.
    if (!(isHttp2(response) ? response.write(half) : response.write(half))) await once(response, "drain");
  }
  cutOff(response);
}

function sendFault(
  response: GatewayResponse,
  shape: RequestShape,
  operation: string,
  { id, fault, error }: FaultRule,
): void {
  const code = error ?? codeOf(fault, operation);
  const status = /^(Internal|Service)/.test(code) ? 500 : 400;
  sendAwsError(response, shape, { status, code, message: `Injected by fault ${id}` });
}

function codeOf(fault: FaultKind, operation: string): string {
  const isTable = operation.startsWith("DynamoDB.");
  switch (fault) {
    case "throttle":
      return isTable || operation.startsWith("Kinesis.")
        ? "ProvisionedThroughputExceededException"
        : "ThrottlingException";
    case "conflict":
      return isTable ? "TransactionConflictException" : "ResourceInUseException";
    default:
      return "InternalFailure";
  }
}

/** A success without any member, in the protocol of the request. */
function sendNothing(response: GatewayResponse, shape: RequestShape): void {
  const type = header(shape, "content-type");
  const isCbor = type.includes("cbor");
  if (isCbor && shape.url.startsWith("/service/")) response.setHeader("smithy-protocol", "rpc-v2-cbor");
  if (isCbor) sendBody(response, 200, type, EMPTY_CBOR_MAP);
  else if (namedInBody(shape)) sendBody(response, 200, "text/xml", "<Response/>");
  else sendBody(response, 200, type || "application/x-amz-json-1.1", "{}");
}

const EMPTY_CBOR_MAP = Buffer.from([0xa0]);
