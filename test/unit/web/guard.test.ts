import { describe, expect, it } from "vitest";
import { parseAction } from "../../../lab/monitor/web/actions.ts";
import { refusal, TOKEN_HEADER } from "../../../lab/monitor/web/guard.ts";

const TOKEN = "a-token";
const OWN = "http://127.0.0.1:4580";
const ask = (method: string, headers: Record<string, string>, path = "/", port = 4580) =>
  refusal({ method, path, port, headers: { host: "127.0.0.1:4580", ...headers } }, TOKEN)?.status;
const POST = { [TOKEN_HEADER]: TOKEN, "content-type": "application/json", origin: OWN };
const ORDER = "/orders/split";

describe("who may ask", () => {
  it("knows its own names only: a name that was rebound to loopback is refused", () => {
    expect(ask("GET", {})).toBeUndefined();
    expect(ask("GET", { host: "localhost:4580" })).toBeUndefined();
    for (const path of ["/", "/events", ORDER])
      for (const host of [
        "evil.example:4580",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1.evil.example:4580",
        "localhost.evil.example:4580",
        "",
      ])
        expect(ask("GET", { host }, path)).toBe(421);
    expect(
      ask("POST", { ...POST, host: "evil.example:4580", origin: "http://evil.example:4580" }, ORDER),
    ).toBe(421);
  });

  it("at port 80 has a host without a port", () => {
    expect(ask("GET", { host: "127.0.0.1" }, "/", 80)).toBeUndefined();
    expect(ask("GET", { host: "evil.example" }, "/", 80)).toBe(421);
  });

  it("lets nobody else read the stream or the page, but a link may lead here", () => {
    const link = {
      "sec-fetch-site": "cross-site",
      "sec-fetch-mode": "navigate",
      "sec-fetch-dest": "document",
    };
    expect(ask("GET", { "sec-fetch-site": "same-origin" }, "/events")).toBeUndefined();
    expect(ask("GET", { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" })).toBeUndefined();
    expect(ask("GET", link)).toBeUndefined();
    expect(ask("GET", { ...link, "sec-fetch-site": "same-site" })).toBeUndefined();
    expect(ask("GET", { ...link, "sec-fetch-dest": "iframe" })).toBe(403);
    expect(ask("GET", link, "/events")).toBe(403);
    expect(ask("GET", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" })).toBe(403);
    expect(ask("GET", { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" })).toBe(403);
  });

  it("asks every request where it comes from, also where the browser sends an origin alone", () => {
    for (const path of ["/", "/events", ORDER])
      for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
        for (const origin of [
          "https://evil.example",
          "null",
          "http://127.0.0.1:4581",
          "https://127.0.0.1:4580",
        ])
          expect(ask(method, { ...POST, origin }, path)).toBe(403);
    expect(ask("GET", { origin: OWN }, "/events")).toBeUndefined();
  });

  it("takes an order with this run's token from this page only", () => {
    expect(ask("POST", POST, ORDER)).toBeUndefined();
    expect(
      ask("POST", { ...POST, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" }, ORDER),
    ).toBeUndefined();
    expect(ask("POST", { ...POST, [TOKEN_HEADER]: "another" }, ORDER)).toBe(403);
    expect(ask("POST", { ...POST, [TOKEN_HEADER]: "" }, ORDER)).toBe(403);
    expect(ask("POST", { ...POST, "content-type": "text/plain" }, ORDER)).toBe(415);
    for (const site of ["cross-site", "same-site", "something-new"])
      for (const mode of ["navigate", "cors", "no-cors"])
        for (const path of ["/", ORDER])
          expect(
            ask(
              "POST",
              { ...POST, "sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": "document" },
              path,
            ),
          ).toBe(403);
  });
});

describe("an order", () => {
  it("is taken when it fits", () => {
    expect(parseAction("split", '{"percent":50}')).toEqual({ kind: "split", percent: 50 });
    expect(parseAction("scale", '{"tasks":0}')).toEqual({ kind: "scale", tasks: 0 });
    expect(parseAction("kill", '{"worker":"ann"}')).toEqual({ kind: "kill", worker: "ann" });
    expect(parseAction("toString", "{}")).toBeUndefined();
  });

  it.each([
    ["split", "{", "no JSON"],
    ["split", '{"percent":0}', "per cent: give a whole number from 1 to 400"],
    ["split", '{"percent":"50"}', "per cent: give a whole number from 1 to 400"],
    ["scale", '{"tasks":1.5}', "tasks: give a whole number from 0 to 50"],
    ["scale", '{"tasks":51}', "tasks: give a whole number from 0 to 50"],
    ["kill", '{"worker":""}', "worker: choose one"],
  ])("%s %s is refused in words", (kind, body, message) => {
    expect(() => parseAction(kind, body)).toThrow(message);
  });
});
