/**
 * Chooses the AWS target. Without AWS_ENDPOINT_URL: only the running embedded endpoint. With it: that
 * endpoint. Real AWS only with `--aws`. No other module of the lab reads these variables.
 */
import {
  type EndpointCredentials,
  endpointVariables,
  findEndpoint,
  isolatedEnvironment,
  REGION,
  TEST_CREDENTIALS,
} from "../../local/index.ts";
import { CommandError, wrongUse } from "../errors.ts";

export interface Target {
  readonly kind: "embedded" | "endpoint" | "aws";
  /** Undefined: real AWS. */
  readonly endpointUrl: string | undefined;
  readonly region: string;
  /** Undefined: the SDK's own credential chain (real AWS only). */
  readonly credentials: EndpointCredentials | undefined;
}

export const embeddedTarget = (url: string, region = REGION): Target => ({
  kind: "embedded",
  endpointUrl: url,
  region,
  credentials: TEST_CREDENTIALS,
});

export interface TargetChoice {
  readonly aws: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The target requested by the user, before any endpoint is contacted. Pure. */
export function chooseTarget({ aws, environment }: TargetChoice): Target | "running-endpoint" {
  const url = environment.AWS_ENDPOINT_URL;
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION || REGION;
  if (aws && url)
    throw wrongUse(`--aws means real AWS, but AWS_ENDPOINT_URL is ${url}; give one of them, not both`);
  if (aws) return { kind: "aws", endpointUrl: undefined, region, credentials: undefined };
  if (!url) return "running-endpoint";
  const host = URL.canParse(url) ? new URL(url).hostname : undefined;
  if (host === undefined)
    throw wrongUse(
      `AWS_ENDPOINT_URL is ${JSON.stringify(url)}, which is no URL; expected http://127.0.0.1:4566, say`,
    );
  if (/(^|\.)(amazonaws\.com(\.cn)?|api\.aws)$/.test(host))
    throw wrongUse(`AWS_ENDPOINT_URL is real AWS (${host}); unset it and say --aws if you mean that`);
  return {
    kind: "endpoint",
    endpointUrl: url.replace(/\/+$/, ""),
    region,
    credentials: credentialsFor(environment),
  };
}

/**
 * Credentials from the environment: LocalStack derives the account from the key. Profiles and `~/.aws` are
 * only for real AWS.
 */
function credentialsFor(environment: TargetChoice["environment"]): EndpointCredentials {
  const accessKeyId = environment.AWS_ACCESS_KEY_ID;
  const secretAccessKey = environment.AWS_SECRET_ACCESS_KEY;
  const sessionToken = environment.AWS_SESSION_TOKEN;
  if (!accessKeyId || !secretAccessKey) return TEST_CREDENTIALS;
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
}

export async function resolveTarget(choice: TargetChoice): Promise<Target> {
  const chosen = chooseTarget(choice);
  if (chosen === "running-endpoint") {
    const running = await findEndpoint();
    if (running) return embeddedTarget(running.url);
    throw new CommandError(
      "no embedded endpoint is running; start it with `npm run up` (or set AWS_ENDPOINT_URL, or say --aws)",
    );
  }
  if (chosen.kind === "endpoint" && chosen.endpointUrl && (await isEmbedded(chosen.endpointUrl)))
    return { ...chosen, kind: "embedded", credentials: TEST_CREDENTIALS };
  return chosen;
}

/** Only our gateway answers this health path. */
async function isEmbedded(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/_evenkeel/health`, {
      headers: { "x-evenkeel-admin": "1" },
      signal: AbortSignal.timeout(2_000),
    });
    const body: unknown = answer.ok ? await answer.json() : undefined;
    return typeof body === "object" && body !== null && "parts" in body;
  } catch {
    return false; // no answer, or not JSON: another endpoint, and the first real call reports what is wrong
  }
}

/** An address for the settings of local/tool-environment.ts. Undefined: real AWS. */
export const addressOf = ({ endpointUrl, region, credentials }: Target) =>
  endpointUrl === undefined
    ? undefined
    : { url: endpointUrl, region, ...(credentials !== undefined && { credentials }) };

/**
 * The environment of child processes. On real AWS it includes the user's environment; elsewhere none of the
 * user's AWS settings.
 */
export function childEnvironment(
  target: Target,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const address = addressOf(target);
  if (address !== undefined) return { ...isolatedEnvironment(environment), ...endpointVariables(address) };
  const inherited = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return { ...Object.fromEntries(inherited), ...awsVariables(target) };
}

/** Real AWS: the SDK's own chain finds the credentials. */
export const awsVariables = ({ region }: Target): Record<string, string> => ({
  AWS_REGION: region,
  AWS_DEFAULT_REGION: region,
});
