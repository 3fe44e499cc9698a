/**
 * Errors for log lines, reduced to class, name, message, stack, code and causes. Loggers like pino write
 * every other property of an error too: a `PoisonRecordError` has the record with its data and partition key,
 * and an AWS SDK error has the response.
 */
import type { Logger } from "./logger.ts";

const MAX_CAUSES = 4;

/**
 * When a signature does not match, the AWS error repeats the signed request, and with it the session's token.
 */
const TOKEN = /(x-amz-security-token\s*[:=]\s*)[^\s&'"]+/gi;
const withoutToken = (text: string): string => text.replaceAll(TOKEN, "$1…");

/** An error of the same class with its name, message, stack, code and causes, and nothing else. */
export function plainError(error: Error, causes = MAX_CAUSES): Error {
  const { name, message, stack, cause } = error;
  const { code } = error as { code?: unknown };
  const plain: Error = Object.create(Object.getPrototypeOf(error));
  const set = (key: string, value: unknown, enumerable: boolean) =>
    Object.defineProperty(plain, key, { value, enumerable, configurable: true, writable: true });
  set("name", name, false);
  set("message", withoutToken(message), false);
  if (stack !== undefined) set("stack", withoutToken(stack), false);
  if (typeof code === "string" || typeof code === "number") set("code", code, true);
  if (causes > 0 && cause instanceof Error) set("cause", plainError(cause, causes - 1), false);
  return plain;
}

/** The same logger, but every error that it is given is made plain first. */
export function withPlainErrors(logger: Logger): Logger {
  const plain = (fields: object): object =>
    Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [
        name,
        value instanceof Error ? plainError(value) : value,
      ]),
    );
  return {
    debug: (fields, message) => logger.debug(plain(fields), message),
    info: (fields, message) => logger.info(plain(fields), message),
    warn: (fields, message) => logger.warn(plain(fields), message),
    error: (fields, message) => logger.error(plain(fields), message),
  };
}
