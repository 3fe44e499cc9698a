import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { FleetActions } from "../../lab/monitor/web/actions.ts";
import { type LivePage, serveLivePage } from "../../lab/monitor/web/server.ts";
import { systemClock } from "../../src/platform.ts";
import { hasChromium, launchChromium } from "./chromium.ts";
import { contrasts } from "./contrast.ts";
import { type Fleet, ScriptedSource, shardId } from "./scripted-source.ts";

const THREE: Fleet = {
  owners: { 0: "ann", 1: "ann", 2: "bob", 3: "bob", 4: "cid" },
  members: ["ann", "bob", "cid"],
  cap: 2,
};
const SPLIT: Fleet = {
  ...THREE,
  owners: { ...THREE.owners, 4: undefined, 5: undefined, 6: undefined },
  parents: { 5: [0], 6: [0] },
};

class Orders implements FleetActions {
  readonly seen: string[] = [];
  async split(percent: number) {
    this.seen.push(`split ${percent}`);
    return "5 → 8 open shards, in 1.0 s";
  }
  async scale(tasks: number) {
    this.seen.push(`scale ${tasks}`);
    return `consumer tasks wanted: 3 → ${tasks}`;
  }
  async kill(workerId: string) {
    this.seen.push(`kill ${workerId}`);
    return `kill -9 sent to ${workerId}`;
  }
}

describe.skipIf(!hasChromium)("the live page in Chromium", () => {
  let browser: Browser;
  let context: BrowserContext;
  let tab: Page;
  let source: ScriptedSource;
  let orders: Orders;
  let server: LivePage;
  let faults: string[];

  const serve = (actions: FleetActions | undefined, port = 0) =>
    serveLivePage({ source, actions, port, clock: systemClock });

  async function open(scheme: "light" | "dark" = "light") {
    context = await browser.newContext({ colorScheme: scheme, viewport: { width: 1200, height: 900 } });
    tab = await context.newPage();
    faults = [];
    tab.on("pageerror", (error) => faults.push(error.message));
    tab.on("console", (message) => message.type() === "error" && faults.push(message.text()));
    await tab.goto(server.url);
    await tab.getByText("live", { exact: true }).waitFor();
  }

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => browser.close());

  beforeEach(async () => {
    source = new ScriptedSource();
    source.show(THREE);
    orders = new Orders();
    server = await serve(orders);
  });
  afterEach(async () => {
    await context?.close();
    await server.close();
  });

  it("shows the fleet in its first response, and asks for nothing else", async () => {
    const asked: string[] = [];
    await open();
    tab.on("request", (request) => asked.push(request.url()));
    await tab.reload();
    await tab.getByRole("heading", { name: "3 workers, 5 shards: 2/2/1, nothing left to move." }).waitFor();
    expect(asked.filter((url) => !url.startsWith("data:"))).toEqual([
      `${server.url}/`,
      `${server.url}/events`,
    ]);
    expect(faults).toEqual([]);

    const withoutScript = await browser.newContext({ javaScriptEnabled: false });
    onTestFinished(() => withoutScript.close());
    const still = await withoutScript.newPage();
    await still.goto(server.url);
    expect(await still.locator("#workers li").count()).toBe(3);
    expect(await still.getByRole("heading", { level: 1 }).textContent()).toContain("2/2/1");
  });

  it("brings a change to the screen by itself: numbers, names, the log and the picture", async () => {
    await open();
    const pixels = () =>
      tab.locator("#owners canvas").evaluate((canvas) => (canvas as HTMLCanvasElement).height);
    const before = await pixels();
    source.show(SPLIT);
    await tab
      .getByRole("heading", { level: 1, name: "1 without an owner, 1 draining, 2 waiting for a parent" })
      .waitFor();
    await tab.getByText("2 new shards of 1 parents").waitFor();
    expect(await tab.locator("#attention").textContent()).toContain("No owner: 1 4");
    expect(await tab.locator("#attention").textContent()).toContain("5 (of 0), 6 (of 0)");
    await expect.poll(pixels).toBeGreaterThan(before);
    expect(faults).toEqual([]);
  });

  it("lists hand-overs with the gap the workers measured", async () => {
    await open();
    const t = Date.now();
    const batch = { type: "batch", shardId: shardId(2), count: 1 } as const;
    source.event({ ...batch, t: t - 500, worker: "bob", readAt: t - 600 });
    source.event({
      type: "lease",
      t: t - 480,
      worker: "cid",
      leaseKey: shardId(2),
      action: "received",
      reason: "",
    });
    source.event({ ...batch, t, worker: "cid", readAt: t - 377 });
    source.show({ ...THREE, owners: { ...THREE.owners, 2: "cid" } });
    await tab.getByRole("row", { name: /2 bob → cid 123 ms/ }).waitFor();
  });

  it("is operated with the keyboard alone, and asks before it kills", async () => {
    await open();
    const focused = () =>
      tab.evaluate(() => document.activeElement?.id || document.activeElement?.textContent?.trim());
    const order: (string | undefined)[] = [];
    for (let i = 0; i < 10; i++) {
      await tab.keyboard.press("Tab");
      order.push(await focused());
    }
    expect(order).toEqual([
      "To the owners of the shards",
      ...["percent", "Split", "tasks", "Scale", "worker", "Kill …"],
      ...["span", "pause", "owners"],
    ]);
    await tab.locator("#percent").focus();
    await tab.keyboard.type("40");
    await tab.keyboard.press("Enter");
    await tab.getByRole("status").filter({ hasText: "split: 5 → 8 open shards" }).waitFor();

    await tab.locator("#worker").focus();
    await tab.keyboard.press("ArrowDown");
    await tab.waitForFunction(() => document.querySelector<HTMLSelectElement>("#worker")?.value === "bob");
    await tab.keyboard.press("Tab");
    await tab.keyboard.press("Enter");
    await tab.getByRole("dialog", { name: "Kill bob?" }).waitFor();
    await tab.keyboard.press("Escape");
    await tab.getByRole("dialog").waitFor({ state: "hidden" });
    expect(await focused()).toBe("Kill …");
    expect(orders.seen).toEqual(["split 40"]);
    await tab.keyboard.press("Enter");
    await tab.getByRole("dialog", { name: "Kill bob?" }).waitFor();
    await tab.keyboard.press("Tab");
    await tab.keyboard.press("Enter");
    await tab.getByRole("status").filter({ hasText: "kill -9 sent to bob" }).waitFor();
    expect(orders.seen).toEqual(["split 40", "kill bob"]);
    await tab.getByText("asked for kill -9 of bob").waitFor();
  });

  it("refuses what other sites send, also with what a browser allows without asking", async () => {
    const evil = createServer((_request, response) =>
      response.writeHead(200, { "content-type": "text/html" }).end("<p>elsewhere</p>"),
    );
    onTestFinished(() => void evil.close());
    await open();
    await tab.goto(`http://localhost:${await listening(evil)}`);
    const url = server.url;
    const seen = await tab.evaluate(async (target) => {
      const tried = async (path: string, init: RequestInit) =>
        fetch(target + path, init).then(
          (answer) => `${answer.type} ${answer.status}`,
          () => "refused",
        );
      const body = '{"percent":50}';
      return [
        await tried("/orders/split", { method: "POST", body, mode: "no-cors" }),
        await tried("/orders/split", { method: "POST", body, headers: { "x-evenkeel-token": "guess" } }),
        await tried("/", {}),
        await tried("/events", {}),
      ];
    }, url);
    // A browser may send the first one and hide the answer ("opaque"), or stop it before it leaves (local
    // network access). Either way the other site's page reads nothing, and nothing is done.
    expect(["opaque 0", "refused"]).toContain(seen[0]);
    expect(seen.slice(1)).toEqual(["refused", "refused", "refused"]);
    expect(orders.seen).toEqual([]);
  });

  it("shows no buttons where nothing can be done", async () => {
    const readOnly = await serve(undefined);
    onTestFinished(() => readOnly.close());
    await open();
    await tab.goto(readOnly.url);
    await tab.getByText("live", { exact: true }).waitFor();
    expect(await tab.getByRole("button").allTextContents()).toEqual(["Pause"]);
  });

  it("says that the endpoint is gone, and that it is back", async () => {
    await open();
    source.fail("connect ECONNREFUSED 127.0.0.1:4566");
    await tab.getByRole("alert").filter({ hasText: "The endpoint is gone or does not answer" }).waitFor();
    await tab.getByText("no endpoint", { exact: true }).waitFor();
    source.show(THREE);
    await tab.getByText("live", { exact: true }).waitFor();
    await tab.getByText("the endpoint answers again").waitFor();
    expect(await tab.getByRole("alert").isVisible()).toBe(false);
  });

  it("comes back by itself when its server was started again, and its buttons work with it", async () => {
    await open();
    const { port } = server;
    await server.close();
    await tab.getByText("not connected", { exact: true }).waitFor();
    source.show({ ...THREE, owners: { ...THREE.owners, 4: "ann" } });
    server = await serve(orders, port);
    await tab.getByText("live", { exact: true }).waitFor();
    await tab.getByRole("heading", { level: 1, name: "3/2/0" }).waitFor();
    await tab.getByRole("button", { name: "Split" }).click();
    await tab.getByRole("status").filter({ hasText: "split: 5 → 8" }).waitFor();
  });

  it("stands still while paused", async () => {
    await open();
    await tab.getByRole("button", { name: "Pause" }).click();
    source.show(SPLIT);
    await tab.getByText("paused", { exact: true }).waitFor();
    // The change has arrived when the next event of the same stream takes effect, which a pause does not hold
    // back.
    source.fail("gone");
    await tab.getByRole("alert").filter({ hasText: "gone" }).waitFor();
    expect(await tab.getByRole("heading", { level: 1 }).textContent()).toContain("2/2/1");
    await tab.getByRole("button", { name: "Go on" }).click();
    await tab.getByRole("heading", { level: 1, name: "1 draining" }).waitFor();
  });

  for (const scheme of ["light", "dark"] as const)
    it(`has text that can be read in ${scheme} (WCAG AA)`, async () => {
      await open(scheme);
      source.show(SPLIT);
      await tab.getByText("2 new shards of 1 parents").waitFor();
      source.fail("no answer");
      await tab.getByRole("alert").waitFor();
      const all = await contrasts(tab);
      expect(all.length).toBeGreaterThan(40);
      expect(all.filter(({ ratio, large }) => ratio < (large ? 3 : 4.5))).toEqual([]);
    });

  it("shows 1,000 shards of 50 workers, only the rows in sight", async () => {
    const members = Array.from({ length: 50 }, (_, i) => `a-long-worker-id-${String(i).padStart(2, "0")}`);
    const owners = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [i, members[i % 50]]));
    source.show({ owners, members, cap: 20 });
    await open();
    await tab.getByRole("heading", { level: 1, name: "50 workers, 1000 shards: 20 each" }).waitFor();
    const box = tab.locator("#owners");
    const size = await box.evaluate((element) => [
      element.scrollHeight,
      element.querySelector("canvas")?.offsetHeight,
    ]);
    expect(size[0]).toBeGreaterThan(2_900);
    expect(size[1]).toBeLessThanOrEqual(620);
    expect(await tab.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(1_200);
    source.show({ owners: { ...owners, 7: members[0] }, members, cap: 20 });
    await tab.getByText("shard 7: w8 → w1").waitFor();
    expect(faults).toEqual([]);
  });
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
