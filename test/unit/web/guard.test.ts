import { describe, expect, it } from "vitest";
import { refusal, TOKEN_HEADER } from "../../../lab/monitor/web/guard.ts";
import { parseOrder } from "../../../lab/monitor/web/orders.ts";

const TOKEN = "a-token";
const ask = (method: string, headers: Record<string, string>) =>
  refusal({ method, port: 4580, headers: { host: "127.0.0.1:4580", ...headers } }, TOKEN)?.status;
const POST = { [TOKEN_HEADER]: TOKEN, "content-type": "application/json", origin: "http://127.0.0.1:4580" };

describe("who may ask", () => {
  it("knows its own names only: a name that was rebound to loopback is refused", () => {
    expect(ask("GET", {})).toBeUndefined();
    expect(ask("GET", { host: "localhost:4580" })).toBeUndefined();
    for (const host of ["evil.example:4580", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.example:4580", ""])
      expect(ask("GET", { host })).toBe(421);
    expect(ask("POST", { ...POST, host: "evil.example:4580", origin: "http://evil.example:4580" })).toBe(421);
  });

  it("lets nobody else read the stream or the page, but a link may lead here", () => {
    expect(ask("GET", { "sec-fetch-site": "same-origin" })).toBeUndefined();
    expect(ask("GET", { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" })).toBeUndefined();
    expect(ask("GET", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" })).toBeUndefined();
    expect(ask("GET", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" })).toBe(403);
    expect(ask("GET", { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" })).toBe(403);
  });

  it("takes an order with this run's token from this page only", () => {
    expect(ask("POST", POST)).toBeUndefined();
    expect(ask("POST", { ...POST, [TOKEN_HEADER]: "another" })).toBe(403);
    expect(ask("POST", { ...POST, [TOKEN_HEADER]: "" })).toBe(403);
    expect(ask("POST", { ...POST, origin: "https://evil.example" })).toBe(403);
    expect(ask("POST", { ...POST, origin: "null" })).toBe(403);
    expect(ask("POST", { ...POST, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" })).toBe(403);
    expect(ask("POST", { ...POST, "content-type": "text/plain" })).toBe(415);
  });
});

describe("an order", () => {
  it("is taken when it fits", () => {
    expect(parseOrder("split", '{"percent":50}')).toEqual({ kind: "split", percent: 50 });
    expect(parseOrder("scale", '{"tasks":0}')).toEqual({ kind: "scale", tasks: 0 });
    expect(parseOrder("kill", '{"worker":"ann"}')).toEqual({ kind: "kill", worker: "ann" });
    expect(parseOrder("toString", "{}")).toBeUndefined();
  });

  it.each([
    ["split", "{", "no JSON"],
    ["split", '{"percent":0}', "per cent: give a whole number from 1 to 400"],
    ["split", '{"percent":"50"}', "per cent: give a whole number from 1 to 400"],
    ["scale", '{"tasks":1.5}', "tasks: give a whole number from 0 to 50"],
    ["scale", '{"tasks":51}', "tasks: give a whole number from 0 to 50"],
    ["kill", '{"worker":""}', "worker: choose one"],
  ])("%s %s is refused in words", (kind, body, message) => {
    expect(() => parseOrder(kind, body)).toThrow(message);
  });
});
