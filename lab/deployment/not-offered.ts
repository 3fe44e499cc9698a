/** Endpoints that stand in for AWS offer some services and lack others: which error says that, and in what words. */
import { messageOf, Problem } from "../problem.ts";
import type { Clients } from "./clients.ts";

const NOT_IMPLEMENTED = 501;

/** The endpoint knows no such service or operation: LocalStack answers 501 for what its edition lacks. Pure. */
export function isNotOffered(error: unknown): boolean {
  if (!(error instanceof Error) || !("$metadata" in error)) return false;
  const { $metadata: metadata } = error;
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata)) return false;
  return metadata.httpStatusCode === NOT_IMPLEMENTED;
}

/** One line for whoever asked for it. Pure. */
export const notOfferedText = (error: Error): string =>
  `this endpoint does not offer that: ${messageOf(error).trim().replace(/\.$/, "")}`;

/** Asks; where the service is not offered, or what the stack names is not there (`absent`), one line says so and what to do. */
export async function orSay<T>(
  clients: Clients,
  absent: abstract new (...args: never[]) => Error,
  what: string,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!isNotOffered(error) && !(error instanceof absent)) throw error;
    const where = clients.target.endpointUrl ?? `AWS ${clients.target.region}`;
    throw new Problem(`${where} has no ${what}`, 1, { cause: error });
  }
}
