/** Whatever is sent to the process runtime's socket, it answers in JSON, continues, and starts nothing. */
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DockerApi } from "../../local/containers/docker-api.ts";
import { ContainerRuntime } from "../../local/containers/runtime.ts";
import { readAll } from "../../local/gateway/backend.ts";
import { Watchdog } from "../../local/watchdog.ts";
import { systemClock } from "../../src/platform.ts";
import { RUNS, TIMEOUT_MILLIS } from "./runs.ts";

vi.setConfig({ testTimeout: TIMEOUT_MILLIS });

const ANSWER_MILLIS = 10_000;
const IMAGE = "test/image";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-fuzz-"));
const socketPath = join(folder, "docker.sock");
const watchdog = new Watchdog(folder);
const runtime = new ContainerRuntime({
  // A program whose start would be noticed: it is never started here.
  images: { [IMAGE]: { command: process.execPath, args: ["--eval", ""], variables: ["KNOWN"] } },
  watchdog,
  clock: systemClock,
  workingDirectory: folder,
});
const problems: unknown[] = [];
const api = new DockerApi(runtime, (error) => problems.push(error));

beforeAll(() => api.listen(socketPath));
afterAll(async () => {
  await api.close();
  await watchdog.close(); // removes the folder, too
});

async function send(method: string, path: string, body: Uint8Array) {
  const outgoing = request({
    ...{ socketPath, agent: false, method, path, headers: { "content-length": body.length } },
    signal: AbortSignal.timeout(ANSWER_MILLIS),
  });
  outgoing.end(body);
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, text: (await readAll(answer)).toString("utf8") };
}

const list = async () => {
  const { status, text } = await send("GET", "/v1.43/containers/json", new Uint8Array());
  expect(status).toBe(200);
  return JSON.parse(text) as { Id: string }[];
};
const removeAll = async () => {
  for (const { Id } of await list()) await send("DELETE", `/containers/${Id}`, new Uint8Array());
};

const odd = fc.oneof(fc.jsonValue(), fc.string(), fc.constantFrom(null, [], {}, "__proto__"));
const createBodies = fc.record(
  {
    Image: fc.oneof(fc.constantFrom(IMAGE, `${IMAGE}:1`, `x/${IMAGE}`, "other"), odd),
    Env: fc.oneof(
      fc.array(fc.oneof(fc.constantFrom("KNOWN=1", "NODE_OPTIONS=x", "KNOWN"), fc.string())),
      odd,
    ),
    Labels: fc.oneof(fc.dictionary(fc.string(), fc.string()), odd),
    Cmd: fc.oneof(fc.constantFrom(null, []), odd),
    Entrypoint: fc.oneof(fc.constantFrom(null, []), odd),
    HostConfig: odd,
  },
  { requiredKeys: [] },
);

describe("the process runtime", () => {
  it("answers any request", async () => {
    const text = fc.string({ unit: fc.constantFrom(...'abc0/?&=%.:-_{}[]"\\'), maxLength: 30 });
    const paths = fc.oneof(
      text.map((path) => `/${path}`),
      text.map((id) => `/v1.43/containers/${id}/json`),
      text.map((filters) => `/containers/json?filters=${filters}`),
      odd.map((label) => `/containers/json?filters=${encodeURIComponent(JSON.stringify({ label }))}`),
      text.map((image) => `/images/${image}/json`),
      text.map((name) => `/containers/create?name=${name}`),
    );
    const methods = fc.constantFrom("GET", "POST", "DELETE", "HEAD", "PUT");
    await fc.assert(
      fc.asyncProperty(methods, paths, fc.uint8Array({ maxLength: 100 }), async (method, path, body) => {
        const answer = await send(method, path, body);
        expect(answer.status).toBeOneOf([200, 201, 204, 400, 404]);
        if (answer.text !== "") JSON.parse(answer.text);
      }),
      { numRuns: RUNS },
    );
    await removeAll();
  });

  it("makes a container of a known image with known variables, or says in one line why not", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(createBodies, fc.jsonValue()), async (body) => {
        const { status, text } = await send(
          "POST",
          "/containers/create?name=x",
          Buffer.from(JSON.stringify(body)),
        );
        expect(status).toBeOneOf([201, 400, 404]);
        const answer = JSON.parse(text);
        const listed = await list();
        if (status !== 201) {
          expect(answer.message).toMatch(/^[^\n]+$/);
          expect(listed).toEqual([]);
          return;
        }
        expect(listed).toMatchObject([{ Id: answer.Id }]);
        const { image, environment } = runtime.find(answer.Id) ?? expect.fail("it is not there");
        expect(runtime.imageName(image)).toBe(IMAGE);
        expect(Object.keys(environment).filter((name) => name !== "KNOWN")).toEqual([]);
        await removeAll();
      }),
      { numRuns: RUNS },
    );
  });

  it("does with a container what the request says, or says in one line why not", async () => {
    const actions = fc.oneof(
      fc.constantFrom(
        "GET json",
        "GET logs",
        "POST stop?t=x",
        "POST stop?t=-1",
        "POST stop?t=1e999",
        "POST stop",
      ),
      fc.constantFrom("POST kill?signal=SIGSTOP", "POST kill", "DELETE ", "POST rename", "GET top"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(actions, { maxLength: 6 }), async (chosen) => {
        const made = await send("POST", "/containers/create?name=x", Buffer.from(`{"Image":"${IMAGE}"}`));
        const { Id } = JSON.parse(made.text);
        for (const action of chosen) {
          const [method, path] = action.split(" ") as [string, string];
          const isLogs = path === "logs"; // the logs of a container that has not begun end at once
          const { status, text } = await send(
            method,
            `/containers/${Id}${path && `/${path}`}`,
            new Uint8Array(),
          );
          expect(status).toBeOneOf([200, 204, 400, 404]);
          if (text !== "" && !isLogs) JSON.parse(text);
        }
        await removeAll();
      }),
      { numRuns: RUNS },
    );
  });

  it("refuses a body above its limit", async () => {
    const answer = await send("POST", "/containers/create?name=x", Buffer.alloc(2 * 1024 * 1024)).catch(
      (error: NodeJS.ErrnoException) => error.code,
    );
    // The answer comes while the body is still being sent, so the client may notice first that the connection
    // ends.
    if (typeof answer === "string") expect(answer).toMatch(/^(EPIPE|ECONNRESET)$/);
    else expect(answer).toMatchObject({ status: 413, text: expect.stringContaining("larger than") });
  });

  it("has started no process in all this", () => {
    expect(runtime.processes()).toEqual([]);
  });
});
