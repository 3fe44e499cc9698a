import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LiveDashboard } from "../../../lab/monitor/web/live-dashboard.ts";
import { type LivePage, serveLivePage } from "../../../lab/monitor/web/server.ts";
import { systemClock } from "../../../src/platform.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { type Fleet, ScriptedSource } from "../../browser/scripted-source.ts";

const TWO: Fleet = { owners: { 0: "ann", 1: "bob" }, members: ["ann", "bob"] };
const LONGER_THAN_IT_LINGERS = 6_000;

describe("the live board", () => {
  const make = () => {
    const source = new ScriptedSource();
    const clock = new VirtualClock();
    source.show(TWO, clock.wallMillis());
    return { source, clock, live: new LiveDashboard(source, clock) };
  };

  it("looks only while somebody looks on, and for a moment after", async () => {
    const { source, clock, live } = make();
    expect(source.isWatched).toBe(false);
    const leave = live.join(() => undefined);
    const leaveToo = live.join(() => undefined);
    expect(source.watches).toBe(1);
    leave();
    await clock.advance(LONGER_THAN_IT_LINGERS);
    expect(source.isWatched).toBe(true);
    leaveToo();
    await clock.advance(1_000);
    const again = live.join(() => undefined);
    await clock.advance(LONGER_THAN_IT_LINGERS);
    expect([source.isWatched, source.watches]).toEqual([true, 1]);
    again();
    await clock.advance(LONGER_THAN_IT_LINGERS);
    expect(source.isWatched).toBe(false);
    const names = () => live.dashboard.workers.map(({ number, id }) => [number, id]);
    const before = names();
    live.join(() => undefined);
    expect(source.watches).toBe(2);
    expect(names()).toEqual(before);
  });

  it("does not go on looking for a page that was asked for and never came to listen", async () => {
    const { source, clock, live } = make();
    expect((await live.firstSight(700)).counts?.load).toBe(2);
    expect(source.isWatched).toBe(true);
    await clock.advance(LONGER_THAN_IT_LINGERS);
    expect(source.isWatched).toBe(false);
  });

  it("waits for the first sight only so long", async () => {
    const clock = new VirtualClock();
    const live = new LiveDashboard(new ScriptedSource(), clock);
    const sight = live.firstSight(700);
    await clock.advance(700);
    expect((await sight).counts).toBeNull();
  });

  it("tells nothing when nothing is new, and a trouble once", async () => {
    const { source, clock, live } = make();
    const heard: (string | null)[] = [];
    live.join(({ problem }) => heard.push(problem));
    const before = heard.length;
    source.fail("no answer");
    source.fail("no answer");
    source.show(TWO, clock.wallMillis());
    expect(heard.slice(before)).toEqual(["no answer", null]);
    expect(live.dashboard.log.map(({ text }) => text).slice(0, 2)).toEqual([
      "the endpoint answers again",
      "no answer",
    ]);
  });
});

describe("the live page's server", () => {
  let page: LivePage;
  const orders: string[] = [];
  const actions = {
    split: async (percent: number) => `split ${orders.push(String(percent))}`,
    scale: () => Promise.reject(new Error("ECS said no")),
    kill: () => new Promise<string>(() => undefined),
  };
  beforeEach(async () => {
    orders.length = 0;
    const source = new ScriptedSource();
    source.show(TWO);
    page = await serveLivePage({ source, actions, port: 0, clock: systemClock });
  });
  afterEach(() => page.close());

  const ask = (
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ) =>
    new Promise<{ status: number | undefined; headers: Record<string, unknown>; text: string }>(
      (resolve, reject) => {
        const { method = "GET", headers = {}, body = "" } = options;
        const sent = request(
          { host: "127.0.0.1", port: page.port, path, method, headers },
          async (answer) => {
            let text = "";
            for await (const chunk of answer) text += String(chunk);
            resolve({ status: answer.statusCode, headers: answer.headers, text });
          },
        );
        sent.on("error", reject);
        sent.end(body);
      },
    );
  const tokenIn = (text: string) => /"token":"(\w+)"/.exec(text)?.[1] ?? "";
  const order = async (kind: string, body: object) => {
    const headers = {
      "content-type": "application/json",
      "x-evenkeel-token": tokenIn((await ask("/")).text),
    };
    return ask(`/orders/${kind}`, { method: "POST", headers, body: JSON.stringify(body) });
  };

  it("answers under its own name only, and lets nothing be framed or loaded from elsewhere", async () => {
    const own = await ask("/");
    expect(own.status).toBe(200);
    expect(own.headers["content-security-policy"]).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    const rebound = await ask("/", { headers: { host: `evil.example:${page.port}` } });
    expect(rebound.status).toBe(421);
    expect(rebound.text).not.toContain(tokenIn(own.text));
  });

  it("gives its events to its own page only, and says what everything else it sends is", async () => {
    for (const headers of [
      { origin: "https://evil.example" },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" },
      { host: `evil.example:${page.port}` },
    ]) {
      const refused = await ask("/events", { headers });
      expect(refused.status).toBeOneOf([403, 421]);
      expect(refused.headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
      });
    }
    expect(page.live.viewerCount).toBe(0);
  });

  it("answers a path that is none of its own in words", async () => {
    for (const path of ["//", "/../etc/passwd", "/%", "/events/", "http://evil.example/", "/?a=/events"])
      expect((await ask(path)).status).toBe(path === "/?a=/events" ? 200 : 404);
  });

  it("does what is asked with the token, and says what went wrong", async () => {
    expect(await order("split", { percent: 50 })).toMatchObject({ status: 200, text: '{"text":"split 1"}' });
    expect(await order("split", { percent: -1 })).toMatchObject({ status: 400 });
    expect(await order("scale", { tasks: 5 })).toMatchObject({
      status: 502,
      text: '{"error":"ECS said no"}',
    });
    expect(await order("dance", {})).toMatchObject({ status: 404 });
    expect(page.live.dashboard.log.map(({ text }) => text)).toContain("scale did not work: ECS said no");
    expect(orders).toEqual(["50"]);
  });

  it("refuses an order without the token, and one that is too large", async () => {
    const headers = { "content-type": "application/json" };
    expect((await ask("/orders/split", { method: "POST", headers, body: '{"percent":50}' })).status).toBe(
      403,
    );
    expect((await order("kill", { worker: "x".repeat(5_000) })).status).toBe(400);
    expect(orders).toEqual([]);
  });

  it("says so when its port is used", async () => {
    const again = serveLivePage({
      source: new ScriptedSource(),
      actions: undefined,
      port: page.port,
      clock: systemClock,
    });
    await expect(again).rejects.toThrow(`port ${page.port} is in use; give another with --port`);
  });
});
