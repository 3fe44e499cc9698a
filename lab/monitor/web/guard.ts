/**
 * Who may ask what. The page is for this machine's user only: other sites in the same browser can send requests to
 * loopback, and a name that is rebound to 127.0.0.1 makes them look like ours. Pure.
 */
import { createHash, timingSafeEqual } from "node:crypto";

export interface Asked {
  readonly method: string;
  readonly port: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Refusal {
  readonly status: number;
  readonly message: string;
}

export const TOKEN_HEADER = "x-evenkeel-token";

/** Undefined: go on. */
export function refusal({ method, port, headers }: Asked, token: string): Refusal | undefined {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (!hosts.includes(String(headers.host ?? "")))
    return { status: 421, message: `this page is at http://${hosts[0]} only` };
  const site = headers["sec-fetch-site"];
  const navigates = headers["sec-fetch-mode"] === "navigate" && method === "GET";
  if (site !== undefined && site !== "same-origin" && site !== "none" && !navigates)
    return { status: 403, message: "requests from other sites are refused" };
  if (method === "GET" || method === "HEAD") return undefined;
  const { origin } = headers;
  if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`))
    return { status: 403, message: "requests from other sites are refused" };
  if (!sameText(String(headers[TOKEN_HEADER] ?? ""), token))
    return { status: 403, message: "the token of this run is missing or old: load the page again" };
  if (!String(headers["content-type"] ?? "").startsWith("application/json"))
    return { status: 415, message: "send JSON" };
  return undefined;
}

/** In the same time whatever differs. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** Everything is in the one response; the nonce is for its own script and style. */
export const pageHeaders = (nonce: string): Record<string, string> => ({
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
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
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
});
