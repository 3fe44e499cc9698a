import { App } from "aws-cdk-lib";
import { EvenkeelStack } from "../../infra/evenkeel-stack.ts";
import { FEATURE_FLAGS } from "../../infra/feature-flags.ts";
import { readSettings, stackName } from "../../infra/settings.ts";

export const EMULATED = { AWS_ENDPOINT_URL: "http://127.0.0.1:4566" };
export const AWS = {};

// Seconds a template, and it looks for nothing that these tests look for.
process.env.CDK_VALIDATION = "false";

/** The stack as infra/app.ts makes it, for `context` and `environment`. */
export function makeStack(environment: Record<string, string>, context: Record<string, unknown> = {}) {
  const app = new App({ postCliContext: FEATURE_FLAGS });
  const settings = readSettings(context, environment);
  return { app, stack: new EvenkeelStack(app, stackName(settings.application), settings) };
}
