/**
 * The CDK steps as child processes. Synthesis runs once, with the bundled app. The CLI then gets `--app
 * <folder>`, so that deploy and destroy do not synthesize again. Uses cdklocal for an endpoint, and cdk for
 * real AWS.
 */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { runLogged } from "../process/child.ts";
import { inProject, inRuntime } from "../project.ts";
import { stackNameOf } from "./outputs.ts";
import { childEnvironment, type Target } from "./target.ts";

/** CDK context of the stack (README, "Stack"), and the lab's own additions. Values are passed as strings. */
export interface StackContext {
  readonly application: string;
  readonly shards: number;
  readonly pods: number;
  /** Producer tasks: 0 or 1. */
  readonly producers: number;
  /** The producer's records per second. */
  readonly rate: number;
  readonly keys: number;
  /** Embedded endpoint only: where both services write their history files. */
  readonly historyDirectory?: string;
}

export interface CdkStep {
  readonly target: Target;
  readonly signal: AbortSignal;
}

const EMBEDDED_ACCOUNT = "000000000000";
const STEP_TIMEOUT_MILLIS = 180_000;
/** A deployment to real AWS waits for a Fargate service to become steady. */
const AWS_TIMEOUT_MILLIS = 1_200_000;

const QUIET = {
  CDK_DISABLE_CLI_TELEMETRY: "true",
  CDK_DISABLE_VERSION_CHECK: "1",
  CI: "true",
  NO_COLOR: "1",
};

/**
 * The CDK CLI's values. A `cdklocal deploy` by hand then produces the same template and finds nothing to
 * change.
 */
const CLI_METADATA = { "aws:cdk:enable-path-metadata": true, "aws:cdk:enable-asset-metadata": true };

const assemblyFolder = (application: string): string => inRuntime("cdk.out", application);

export async function synthesize(step: CdkStep, context: StackContext): Promise<void> {
  const folder = assemblyFolder(context.application);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await runLogged({
    name: "synthesis",
    command: process.execPath,
    arguments: [inRuntime("build", "synth.mjs")],
    environment: {
      ...cdkEnvironment(step.target),
      CDK_OUTDIR: folder,
      CDK_CONTEXT_JSON: JSON.stringify({ ...contextValues(context), ...CLI_METADATA }),
    },
    logFile: inRuntime("logs", "synth.log"),
    timeoutMillis: STEP_TIMEOUT_MILLIS,
    signal: step.signal,
  });
}

function contextValues(context: StackContext): Record<string, string> {
  return Object.fromEntries(Object.entries(context).map(([name, value]) => [name, String(value)]));
}

export const bootstrap = (step: CdkStep): Promise<void> =>
  cdk(
    step,
    "bootstrap",
    step.target.kind === "aws" ? [] : [`aws://${EMBEDDED_ACCOUNT}/${step.target.region}`],
  );

export const deploy = (step: CdkStep, application: string): Promise<void> =>
  cdk(step, "deploy", [
    stackNameOf(application),
    "--app",
    assemblyFolder(application),
    "--require-approval",
    "never",
    "--method",
    "direct",
    "--progress",
    "events",
  ]);

/** Needs the assembly of the deployment. Synthesizes a plain one if it is missing. */
export async function destroy(step: CdkStep, context: StackContext): Promise<void> {
  if (!existsSync(`${assemblyFolder(context.application)}/manifest.json`)) await synthesize(step, context);
  await cdk(step, "destroy", [
    stackNameOf(context.application),
    "--app",
    assemblyFolder(context.application),
    "--force",
  ]);
}

function cdk(step: CdkStep, verb: string, rest: readonly string[]): Promise<void> {
  const tool = step.target.kind === "aws" ? "cdk" : "cdklocal";
  const script = {
    cdk: inProject("node_modules", "aws-cdk", "bin", "cdk"),
    cdklocal: inProject("node_modules", "aws-cdk-local", "bin", "cdklocal"),
  }[tool];
  return runLogged({
    name: `${tool} ${verb}`,
    command: process.execPath,
    arguments: [script, verb, ...rest, "--no-notices", "--no-color"],
    environment: cdkEnvironment(step.target),
    logFile: inRuntime("logs", `${verb}.log`),
    timeoutMillis: step.target.kind === "aws" ? AWS_TIMEOUT_MILLIS : STEP_TIMEOUT_MILLIS,
    signal: step.signal,
  });
}

function cdkEnvironment(target: Target): Record<string, string> {
  const account = target.kind === "aws" ? {} : { CDK_DEFAULT_ACCOUNT: EMBEDDED_ACCOUNT };
  return {
    ...childEnvironment(target, process.env),
    ...QUIET,
    CDK_DEFAULT_REGION: target.region,
    ...account,
  };
}
