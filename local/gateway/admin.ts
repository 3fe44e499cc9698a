import type { ContainerRuntime } from "../containers/runtime.ts";
import { isSignal, SIGNALS } from "../containers/runtime.ts";
import { type GatewayRequest, type GatewayResponse, sendJson } from "./answers.ts";
import { readAll } from "./backend.ts";
import type { CallCounter } from "./calls.ts";
import type { FaultBoard } from "./faults.ts";

export const ADMIN_PATH = "/_evenkeel/";
/** A web page cannot send this header across origins without a permission that the gateway never grants. */
export const ADMIN_HEADER = "x-evenkeel-admin";
const MAX_BODY_BYTES = 64 * 1024;

export interface AdminDeps {
  calls: CallCounter;
  faults: FaultBoard;
  containers: ContainerRuntime;
  health: () => Promise<{ ok: boolean; parts: Record<string, boolean> }>;
}

/** The gateway's own operations: health, call counts, faults, and the processes of ECS tasks. */
export async function admin(
  request: GatewayRequest,
  response: GatewayResponse,
  parts: AdminDeps,
): Promise<void> {
  if (request.headers[ADMIN_HEADER] !== "1")
    return sendJson(response, 403, { error: `the header "${ADMIN_HEADER}: 1" is required` });
  const url = new URL(request.url ?? "/", "http://localhost");
  const path = url.pathname.slice(ADMIN_PATH.length);
  const { calls, faults, containers } = parts;
  switch (`${request.method} ${path}`) {
    case "GET health": {
      const health = await parts.health();
      return sendJson(response, health.ok ? 200 : 503, health);
    }
    case "GET calls":
      return sendJson(response, 200, { calls: calls.list() });
    case "DELETE calls":
      calls.clear();
      return sendJson(response, 200, { calls: [] });
    case "GET faults":
      return sendJson(response, 200, { faults: faults.list() });
    case "POST faults": {
      const rule = faults.add(await jsonBody(request));
      return typeof rule === "string"
        ? sendJson(response, 400, { error: rule })
        : sendJson(response, 200, rule);
    }
    case "DELETE faults":
      faults.remove(url.searchParams.get("id") ?? undefined);
      return sendJson(response, 200, { faults: faults.list() });
    case "GET processes":
      return sendJson(response, 200, containers.processes());
  }
  const target = /^processes\/([\w.-]+)\/signal$/.exec(path)?.[1];
  if (request.method === "POST" && target !== undefined) {
    const body = (await jsonBody(request)) as { signal?: unknown } | undefined;
    if (!isSignal(body?.signal))
      return sendJson(response, 400, { error: `signal: expected one of ${SIGNALS.join(", ")}` });
    return containers.signal(target, body.signal)
      ? sendJson(response, 200, { ok: true })
      : sendJson(response, 404, { error: `no running process has the id ${target}` });
  }
  const single = /^faults\/([\w.-]+)$/.exec(path)?.[1];
  if (request.method === "DELETE" && single !== undefined) {
    faults.remove(single);
    return sendJson(response, 200, { faults: faults.list() });
  }
  return sendJson(response, 404, {
    error: `${request.method} ${url.pathname} is not an operation of the endpoint`,
  });
}

async function jsonBody(request: GatewayRequest): Promise<unknown> {
  try {
    return JSON.parse((await readAll(request, MAX_BODY_BYTES)).toString("utf8"));
  } catch {
    return undefined;
  }
}
