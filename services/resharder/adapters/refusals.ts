/**
 * Maps transient AWS errors to refusal reasons. Any other error (access denied, not found) reaches the caller
 * unchanged.
 */
import type { RefusalReason } from "../ports.ts";

/**
 * A limit on the *number* of shards is a LimitExceededException too. The caller's bound on consecutive
 * refusals ends that case, with Kinesis's message.
 */
const BY_NAME: Readonly<Record<string, RefusalReason>> = {
  ResourceInUseException: "busy",
  LimitExceededException: "throttled",
  ProvisionedThroughputExceededException: "throttled",
  RequestLimitExceeded: "throttled",
  ThrottlingException: "throttled",
  Throttling: "throttled",
  TooManyRequestsException: "throttled",
  InvalidArgumentException: "stale",
  ExpiredNextTokenException: "stale",
  KMSThrottlingException: "throttled",
  TimeoutError: "unavailable",
};

const NETWORK_CODES = new Set(["ECONNRESET", "ECONNREFUSED", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN"]);

/** Undefined: waiting does not help. Pure. */
export function refusalReason(error: unknown): RefusalReason | undefined {
  if (!(error instanceof Error)) return undefined;
  const known = BY_NAME[error.name];
  if (known !== undefined) return known;
  if ("code" in error && NETWORK_CODES.has(String(error.code))) return "unavailable";
  return (httpStatusOf(error) ?? 0) >= 500 ? "unavailable" : undefined;
}

function httpStatusOf(error: Error): number | undefined {
  const metadata: unknown = "$metadata" in error ? error.$metadata : undefined;
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata)) return undefined;
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
}

/** Awaits the call. A transient error is rethrown as the error that `refusal` creates. */
export async function refusing<T>(
  call: Promise<T>,
  refusal: (problem: RefusalReason, message: string, options: ErrorOptions) => Error,
): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const problem = refusalReason(error);
    if (problem === undefined) throw error;
    throw refusal(problem, `${(error as Error).name}: ${(error as Error).message}`, { cause: error });
  }
}
