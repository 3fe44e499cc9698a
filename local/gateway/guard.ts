/**
 * Which requests the gateway refuses: first of all those of web pages. Every page in the user's browser can send requests to
 * loopback, and a name that is rebound to 127.0.0.1 makes them look like the endpoint's own. They could do what the AWS
 * API can do here, and that is much: a Lambda function's code runs on this machine. Pure.
 */
import { header, type RequestShape } from "./operation.ts";

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Names that lead to this machine whatever a web page's own name server says. */
const LOOPBACK =
  /^(127(\.\d{1,3}){3}|\[::1\]|([\w-]+\.)*localhost|([\w-]+\.)*localhost\.localstack\.cloud)$/i;
/** Docker Desktop's name of the machine, for a container of the user's own. */
const FROM_CONTAINER = "host.docker.internal";

/** HTTP/1.1's parser refuses other paths itself, HTTP/2 lets them pass. */
const PATH = /^[\x21-\x7e]+$/;

/** Undefined: go on. */
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
  // Only browsers send these two, and no page of theirs is this endpoint's.
  const site = header(request, "sec-fetch-site");
  if (header(request, "origin") === "" && (site === "" || site === "none")) return undefined;
  return { status: 403, code: "AccessDenied", message: "the endpoint refuses requests of web pages" };
}

function isOwnHost(host: string): boolean {
  const name = host.replace(/:\d{1,5}$/, "");
  return LOOPBACK.test(name) || name.toLowerCase() === FROM_CONTAINER;
}
