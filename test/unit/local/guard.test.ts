/** Which requests the gateway refuses, so that no web page in the user's browser can use the endpoint. */
import { describe, expect, it } from "vitest";
import { refusal } from "../../../local/gateway/guard.ts";

const ask = (headers: Record<string, string>, url = "/") => refusal({ url, headers })?.status;

describe("the host of a request", () => {
  it.each([
    "127.0.0.1:4566",
    "localhost:4566",
    "localhost",
    "LOCALHOST:4566",
    "[::1]:4566",
    "bucket.s3.localhost:4566",
    "bucket.s3.localhost.localstack.cloud:4566",
    "host.docker.internal:4566",
  ])("%s leads here", (host) => {
    expect(ask({ host })).toBeUndefined();
    expect(ask({ ":authority": host })).toBeUndefined();
  });

  it.each([
    "evil.example:4566",
    "127.0.0.1.evil.example:4566",
    "localhost.evil.example",
    "evil-localhost.localstack.cloud.example",
    "notlocalhost",
    "10.0.0.1:4566",
    "localhost:4566:80",
    "localhost@evil.example",
    "evil.example/localhost",
  ])("%s is a name that was rebound to this machine, or none: refused", (host) => {
    expect(ask({ host })).toBe(421);
    expect(ask({ ":authority": host })).toBe(421);
    expect(ask({ host: "localhost", ":authority": host })).toBe(421);
  });
});

describe("a request of a web page", () => {
  const host = "127.0.0.1:4566";

  it.each([
    { origin: "https://evil.example" },
    { origin: "http://localhost:3000" },
    { origin: "null" },
    { origin: "http://127.0.0.1:4566" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "same-origin" },
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
  ])("with %j is refused, whatever it asks for", (headers) => {
    expect(ask({ host, ...headers })).toBe(403);
    expect(ask({ host, ...headers, "x-evenkeel-admin": "1" }, "/_evenkeel/faults")).toBe(403);
  });

  it("that the user asked for by its address is answered, and so is every tool", () => {
    expect(ask({ host, "sec-fetch-site": "none", "sec-fetch-mode": "navigate" })).toBeUndefined();
    expect(ask({ host, "user-agent": "aws-cli/1" })).toBeUndefined();
  });
});

it("a path that is none is refused", () => {
  for (const url of ["", "/\u00e9", "/a b", "/\n", "/\u0000"]) expect(ask({}, url)).toBe(400);
});
