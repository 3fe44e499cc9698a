/**
 * Validates requests to the process runtime: a known image, a name, and only variables that the image's
 * program reads. Here a container is a process on this machine with this user's rights. So no request may
 * choose the program, its arguments, or how its interpreter starts (NODE_OPTIONS, LD_PRELOAD, PATH, an
 * AWS_CONFIG_FILE that contains a command …). Pure.
 */
import type { ImageCommand } from "./images.ts";

export interface ContainerRequest {
  name: string;
  image: string;
  labels: Record<string, string>;
  environment: Record<string, string>;
}

/** The request is invalid: answered with 400 and this message. */
export class BadRequest extends Error {
  override readonly name = "BadRequest";
}

/** Variables that ECS and its agent set in a container, for any image. */
const AWS_VARIABLES: ReadonlySet<string> = new Set([
  "AWS_ACCESS_KEY_ID",
  "AWS_CONTAINER_AUTHORIZATION_TOKEN",
  "AWS_CONTAINER_CREDENTIALS_FULL_URI",
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
  "AWS_DEFAULT_REGION",
  "AWS_ENDPOINT_URL",
  "AWS_EXECUTION_ENV",
  "AWS_REGION",
  "AWS_SDK_UA_APP_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "ECS_CONTAINER_METADATA_URI",
  "ECS_CONTAINER_METADATA_URI_V4",
]);

/** Docker's own rule. A container without a name is identified by its id. */
const NAME = /^$|^[a-zA-Z0-9][\w.-]{0,254}$/;

/**
 * Parses `POST /containers/create`: its body and its `name`. Throws `BadRequest` with what was wrong and what
 * was expected.
 */
export function parseCreateRequest(name: string, body: string): ContainerRequest {
  if (!NAME.test(name))
    throw new BadRequest(`the name is ${quoted(name)}; expected letters, digits, "_", "." and "-"`);
  const fields = parseObject(body, "the body");
  const { Image: image, Labels: labels, Env: environment } = fields;
  if (typeof image !== "string" || image === "")
    throw new BadRequest(`Image is ${quoted(image)}; expected an image's name`);
  for (const field of ["Cmd", "Entrypoint"])
    if (!isEmpty(fields[field]))
      throw new BadRequest(
        `${field} is ${quoted(fields[field])}; expected none: an image runs its own program`,
      );
  return { name, image, labels: textMap(labels, "Labels"), environment: variables(environment) };
}

/** Throws `BadRequest` for a variable that `image` does not read. */
export function requireKnownVariables(
  name: string,
  image: ImageCommand,
  environment: Readonly<Record<string, string>>,
): void {
  const known = image.variables ?? [];
  const unknown = Object.keys(environment).find((key) => !AWS_VARIABLES.has(key) && !known.includes(key));
  if (unknown !== undefined)
    throw new BadRequest(
      `${name} does not read the variable ${quoted(unknown)}; expected those of AWS, ${known.join(", ") || "and no other"}`,
    );
}

/** Parses a JSON object, e.g. a query's `filters`. */
export function parseObject(text: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadRequest(`${what} is no JSON`);
  }
  if (!isObject(value)) throw new BadRequest(`${what} is ${quoted(value)}; expected a JSON object`);
  return value;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);

/** Shortens a value to fit one log line. */
function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? "missing";
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

function textMap(value: unknown, what: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value) || !Object.values(value).every((entry) => typeof entry === "string"))
    throw new BadRequest(`${what} is ${quoted(value)}; expected an object of texts`);
  return value as Record<string, string>;
}

/**
 * Parses `NAME=value` lines. A container reaches the host under another name; a process on this machine uses
 * loopback.
 */
function variables(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!Array.isArray(value)) throw new BadRequest(`Env is ${quoted(value)}; expected an array of NAME=value`);
  return Object.fromEntries(
    value.map((line: unknown) => {
      const [, name, text] = (typeof line === "string" && /^(\w+)=([^\0]*)$/.exec(line)) || [];
      if (name === undefined || text === undefined)
        throw new BadRequest(`Env has the line ${quoted(line)}; expected NAME=value`);
      return [name, text.replaceAll("host.docker.internal", "127.0.0.1")];
    }),
  );
}
