/** Endpoints that stand in for AWS offer some services and lack others: which error says that, and in what words. */
import { messageOf } from "../problem.ts";

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
