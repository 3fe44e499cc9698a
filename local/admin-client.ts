import type { ContainerProcess, ProcessSignal } from "./containers/runtime.ts";
import { EndpointError } from "./errors.ts";
import { ADMIN_HEADER, ADMIN_PATH } from "./gateway/admin.ts";
import type { CallCount } from "./gateway/calls.ts";
import type { FaultRule } from "./gateway/faults.ts";

export interface EndpointHealth {
  ok: boolean;
  parts: Record<string, boolean>;
}

/**
 * The gateway's operations beyond AWS, for experiments and tests. Every call throws EndpointError when it
 * fails.
 */
export interface EndpointAdmin {
  health: () => Promise<EndpointHealth>;
  /** Calls since the start or the last reset. */
  calls: () => Promise<CallCount[]>;
  resetCalls: () => Promise<void>;
  faults: () => Promise<FaultRule[]>;
  /** Adds a fault and returns it with its id. */
  addFault: (fault: Omit<FaultRule, "id"> & { id?: string }) => Promise<FaultRule>;
  /** Removes one fault, or all. */
  clearFaults: (id?: string) => Promise<void>;
  /** The running processes that replace the containers of ECS tasks. */
  processes: () => Promise<ContainerProcess[]>;
  /** Sends a signal to one of these processes. */
  signal: (processId: string, signal: ProcessSignal) => Promise<void>;
}

const ADMIN_TIMEOUT_MILLIS = 10_000;

/** A client for the admin path of the endpoint at `url`. */
export function endpointAdmin(url: string): EndpointAdmin {
  const ask = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const answer = await fetch(`${url}${ADMIN_PATH}${path}`, {
      method,
      headers: { [ADMIN_HEADER]: "1" },
      signal: AbortSignal.timeout(ADMIN_TIMEOUT_MILLIS),
      ...(body ? { body: JSON.stringify(body) } : {}),
    }).catch((error: Error) => {
      throw new EndpointError(`The endpoint at ${url} does not answer (${causeOf(error)})`);
    });
    const value = (await answer.json()) as T & { error?: string };
    if (!answer.ok && value.error)
      throw new EndpointError(`The endpoint refused ${method} ${path}: ${value.error}`);
    return value;
  };
  return {
    health: () => ask("GET", "health"),
    calls: async () => (await ask<{ calls: CallCount[] }>("GET", "calls")).calls,
    resetCalls: async () => void (await ask("DELETE", "calls")),
    faults: async () => (await ask<{ faults: FaultRule[] }>("GET", "faults")).faults,
    addFault: (fault) => ask("POST", "faults", fault),
    clearFaults: async (id) =>
      void (await ask("DELETE", id === undefined ? "faults" : `faults/${encodeURIComponent(id)}`)),
    processes: () => ask("GET", "processes"),
    signal: async (id, signal) =>
      void (await ask("POST", `processes/${encodeURIComponent(id)}/signal`, { signal })),
  };
}

function causeOf(error: Error): string {
  const { cause } = error;
  return cause instanceof Error ? (cause as NodeJS.ErrnoException).code || cause.message : error.message;
}
