/**
 * Decides which requests are allowed. The page is only for the user of this machine. Other sites in the same
 * browser can send requests to loopback, and a name rebound to 127.0.0.1 makes them look like the page's own.
 * Pure.
 */
import { createHash, timingSafeEqual } from "node:crypto";

export interface Asked {
  readonly method: string;
  /** The URL's path, without the query. */
  readonly path: string;
  readonly port: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Refusal {
  readonly status: number;
  readonly message: string;
}

export const TOKEN_HEADER = "x-evenkeel-token";

const OTHER_SITE: Refusal = { status: 403, message: "requests from other sites are refused" };

/** Undefined: the request is allowed. */
export function refusal(asked: Asked, token: string): Refusal | undefined {
  const { method, port, headers } = asked;
  const hosts = ["127.0.0.1", "localhost"].map((name) => (port === HTTP_PORT ? name : `${name}:${port}`));
  if (!hosts.includes(String(headers.host ?? "")))
    return { status: 421, message: `this page is at http://${hosts[0]} only` };
  const { origin } = headers;
  if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`)) return OTHER_SITE;
  const site = headers["sec-fetch-site"] ?? "none";
  if (site !== "same-origin" && site !== "none" && !followsLink(asked)) return OTHER_SITE;
  if (method === "GET" || method === "HEAD") return undefined;
  if (!sameText(String(headers[TOKEN_HEADER] ?? ""), token))
    return { status: 403, message: "the token of this run is missing or old: load the page again" };
  if (!String(headers["content-type"] ?? "").startsWith("application/json"))
    return { status: 415, message: "send JSON" };
  return undefined;
}

/** Browsers omit this port from the Host header. */
const HTTP_PORT = 80;

/**
 * A link on another site may open the page itself as a top-level document, but not its data, and not in a
 * frame.
 */
const followsLink = ({ method, path, headers }: Asked): boolean =>
  method === "GET" &&
  path === "/" &&
  headers["sec-fetch-mode"] === "navigate" &&
  headers["sec-fetch-dest"] === "document";

/** Compares in constant time. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** Headers of every answer: no other site may embed it, and no browser may guess its type. */
export const dataHeaders = (type: string): Record<string, string> => ({
  "content-type": type,
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
});

/** The page loads nothing else. The nonce is for its own script and style. */
export const pageHeaders = (nonce: string): Record<string, string> => ({
  ...dataHeaders("text/html; charset=utf-8"),
  "content-security-policy": [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "style-src-attr 'unsafe-inline'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
});
