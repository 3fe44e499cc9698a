import { type Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Architecture, Code, Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { buildSync } from "esbuild";

export interface BundledFunctionProps {
  /** The name of the bundle's folder. */
  readonly name: string;
  /** The source file that exports `handler`, relative to the project folder. */
  readonly entry: string;
  readonly memorySize: number;
  readonly timeout: Duration;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface BundledFunction {
  readonly function: LambdaFunction;
  /** May write the function's log. The caller grants further rights. */
  readonly role: Role;
}

/** Creates, in `scope`, a Lambda function from TypeScript with its own log group and role. */
export function bundledFunction(scope: Construct, props: BundledFunctionProps): BundledFunction {
  // In the project folder. The deployment's asset hash is computed from the content.
  const folder = `.evenkeel/build/${props.name}`;
  bundle(props.entry, `${folder}/index.mjs`);
  const logGroup = new LogGroup(scope, "Logs", {
    retention: RetentionDays.ONE_WEEK,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  // An own role: CDK's default role has a managed policy for every log group of the account.
  const role = new Role(scope, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
  logGroup.grantWrite(role);
  const { memorySize, timeout, environment } = props;
  const made = new LambdaFunction(scope, "Function", {
    role,
    logGroup,
    code: Code.fromAsset(folder),
    handler: "index.handler",
    runtime: Runtime.NODEJS_22_X,
    architecture: Architecture.ARM_64,
    memorySize,
    timeout,
    ...(environment !== undefined && { environment }),
  });
  Validations.of(made).acknowledge({
    id: "AwsSolutions-L1",
    reason:
      "Node 22 is supported until 2027, and nearest to the Node 20 that runs it on the embedded endpoint.",
  });
  return { function: made, role };
}

/**
 * Calls esbuild's API, which takes a tenth of a second. NodejsFunction starts processes to find and run
 * esbuild.
 */
function bundle(entry: string, outfile: string): void {
  buildSync({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    // The embedded endpoint runs the bundle on this machine's Node 20, AWS on Node 22.
    target: "node20",
    mainFields: ["module", "main"],
    minify: true,
    keepNames: true,
    legalComments: "none",
    banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
  });
}
