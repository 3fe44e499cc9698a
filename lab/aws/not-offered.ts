/**
 * Endpoints in place of AWS offer only some services. This module recognizes the error of a missing service
 * and words the message.
 */
import { CommandError, messageOf } from "../errors.ts";
import type { Clients } from "./clients.ts";

const NOT_IMPLEMENTED = 501;

/**
 * The endpoint does not support the service or operation. LocalStack answers 501 for what its edition lacks.
 * Pure.
 */
export function isNotOffered(error: unknown): boolean {
  if (!(error instanceof Error) || !("$metadata" in error)) return false;
  const { $metadata: metadata } = error;
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata)) return false;
  return metadata.httpStatusCode === NOT_IMPLEMENTED;
}

/** The message in one line. Pure. */
export const notOfferedText = (error: Error): string =>
  `this endpoint does not offer that: ${messageOf(error).trim().replace(/\.$/, "")}`;

/**
 * Runs `ask`. If the service is not offered, or the stack's resource does not exist (`absent`), throws a
 * Problem with one line that states it and the remedy.
 */
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
    throw new CommandError(`${where} has no ${what}`, 1, { cause: error });
  }
}
