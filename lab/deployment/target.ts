/**
 * Which AWS? Without AWS_ENDPOINT_URL: the running embedded endpoint, and nothing else. With it: that endpoint.
 * Real AWS only with `--aws`. Nothing else in the lab looks at these variables.
 */
import { findEndpoint } from "../../local/index.ts";
import { Problem, wrongUse } from "../problem.ts";

export interface Target {
  readonly kind: "embedded" | "endpoint" | "aws";
  /** Undefined: real AWS. */
  readonly endpointUrl: string | undefined;
  readonly region: string;
  /** Undefined: the SDK's own credential chain (real AWS only). */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
}

const DEFAULT_REGION = "us-east-1";
const TEST_CREDENTIALS = { accessKeyId: "test", secretAccessKey: "test" };

export const embeddedTarget = (url: string, region = DEFAULT_REGION): Target => ({
  kind: "embedded",
  endpointUrl: url,
  region,
  credentials: TEST_CREDENTIALS,
});

export interface TargetChoice {
  readonly aws: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What the user asked for, before anything is contacted. Pure. */
export function chooseTarget({ aws, environment }: TargetChoice): Target | "running-endpoint" {
  const url = environment.AWS_ENDPOINT_URL;
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION || DEFAULT_REGION;
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
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment;
  return {
    kind: "endpoint",
    endpointUrl: url.replace(/\/+$/, ""),
    region,
    credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : TEST_CREDENTIALS,
  };
}

export async function resolveTarget(choice: TargetChoice): Promise<Target> {
  const chosen = chooseTarget(choice);
  if (chosen === "running-endpoint") {
    const running = await findEndpoint();
    if (running) return embeddedTarget(running.url);
    throw new Problem(
      "no embedded endpoint is running; start it with `npm run up` (or set AWS_ENDPOINT_URL, or say --aws)",
    );
  }
  if (chosen.kind === "endpoint" && chosen.endpointUrl && (await isEmbedded(chosen.endpointUrl)))
    return { ...chosen, kind: "embedded", credentials: TEST_CREDENTIALS };
  return chosen;
}

/** Our gateway answers its health path; nothing else does. */
async function isEmbedded(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/_evenkeel/health`, {
      headers: { "x-evenkeel-admin": "1" },
      signal: AbortSignal.timeout(2_000),
    });
    const body: unknown = answer.ok ? await answer.json() : undefined;
    return typeof body === "object" && body !== null && "parts" in body;
  } catch {
    return false; // no answer, or not JSON: some other endpoint; the first real call will say what is wrong
  }
}

/** For child processes and `evenkeel env`: the variables that lead the ecosystem's tools to this target. */
export function targetEnvironment(target: Target): Record<string, string> {
  if (target.endpointUrl === undefined)
    return { AWS_REGION: target.region, AWS_DEFAULT_REGION: target.region };
  return {
    AWS_ENDPOINT_URL: target.endpointUrl,
    AWS_ENDPOINT_URL_S3: target.endpointUrl,
    AWS_REGION: target.region,
    AWS_DEFAULT_REGION: target.region,
    AWS_ACCESS_KEY_ID: target.credentials?.accessKeyId ?? "test",
    AWS_SECRET_ACCESS_KEY: target.credentials?.secretAccessKey ?? "test",
  };
}

/** This process's environment, led to the target: what would lead elsewhere (profiles, other endpoints) is left out. */
export function childEnvironment(
  target: Target,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const inherited = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && (target.kind === "aws" || !/^AWS_(?!SDK_|CDK_)/.test(entry[0])),
  );
  return { ...Object.fromEntries(inherited), ...targetEnvironment(target) };
}
