/**
 * Decides which requests the gateway refuses, above all those of web pages. Every page in the user's browser
 * can send requests to loopback, and a name rebound to 127.0.0.1 makes them look like the endpoint's own.
 * Such a page could do whatever the AWS API can do here, including running a Lambda function's code on this
 * machine. Pure.
 */
import { header, type RequestShape } from "./operation.ts";

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Names that always resolve to this machine, even if a web page's own name server disagrees. */
const LOOPBACK =
  /^(127(\.\d{1,3}){3}|\[::1\]|([\w-]+\.)*localhost|([\w-]+\.)*localhost\.localstack\.cloud)$/i;
/** Docker Desktop's name for this machine, used from the user's own containers. */
const FROM_CONTAINER = "host.docker.internal";

/** HTTP/1.1's parser refuses other paths itself; HTTP/2 accepts them. */
const PATH = /^[\x21-\x7e]+$/;

/** Undefined: the request is allowed. */
export function refusal(request: Pick<RequestShape, "headers" | "url">): Refusal | undefined {
  if (!PATH.test(request.url))
    return { status: 400, code: "BadRequest", message: "the path is no path of a URL" };
  for (const name of ["host", ":authority"]) {
    const host = header(request, name);
    if (host !== "" && !isOwnHost(host))
      return {
        status: 421,
        code: "MisdirectedRequest",
        message: `the endpoint answers at 127.0.0.1 and localhost, not at ${JSON.stringify(host)}`,
      };
  }
  // Only browsers send these two headers, and no web page belongs to this endpoint.
  const site = header(request, "sec-fetch-site");
  if (header(request, "origin") === "" && (site === "" || site === "none")) return undefined;
  return { status: 403, code: "AccessDenied", message: "the endpoint refuses requests of web pages" };
}

function isOwnHost(host: string): boolean {
  const name = host.replace(/:\d{1,5}$/, "");
  return LOOPBACK.test(name) || name.toLowerCase() === FROM_CONTAINER;
}
