/** The embedded endpoint's admin path: what the experiment counts. */
import { messageOf, Problem } from "../problem.ts";

const ADMIN = { "x-evenkeel-admin": "1" };
const TIMEOUT_MILLIS = 5_000;

interface CallCount {
  readonly caller: string;
  readonly operation: string;
  readonly count: number;
}

async function admin(url: string, path: string, method: "GET" | "DELETE"): Promise<unknown> {
  try {
    const answer = await fetch(`${url}/_evenkeel/${path}`, {
      method,
      headers: ADMIN,
      signal: AbortSignal.timeout(TIMEOUT_MILLIS),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`HTTP ${answer.status} ${text.slice(0, 100)}`);
    return text === "" ? undefined : JSON.parse(text);
  } catch (error) {
    throw new Problem(`the embedded endpoint at ${url} does not answer (${messageOf(error)}); start it with \`npm run up\``);
  }
}

/** Calls per `<Service>.<Operation>` of one caller since the last reset. */
export async function callsOf(url: string, caller: string): Promise<Record<string, number>> {
  const body = (await admin(url, "calls", "GET")) as { calls?: CallCount[] } | undefined;
  const own = (body?.calls ?? []).filter((call) => call.caller === caller);
  return Object.fromEntries(own.map((call) => [call.operation, call.count] as const).toSorted());
}

export const resetCalls = async (url: string): Promise<void> => {
  await admin(url, "calls", "DELETE");
};
