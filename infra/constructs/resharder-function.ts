import { Duration, RemovalPolicy, Validations } from "aws-cdk-lib";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IStream } from "aws-cdk-lib/aws-kinesis";
import { Architecture, Code, Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { buildSync } from "esbuild";
import { RESHARDER_ENVIRONMENT as NAMES } from "../../services/shared/environment.ts";
import { fleetRowKey } from "../../services/shared/fleet-row.ts";

export interface ResharderFunctionProps {
  readonly stream: IStream;
  readonly leaseTable: ITable;
}

/** Made in the project's own folder; the deployment's asset hash comes from its content. */
const BUNDLE_FOLDER = ".evenkeel/build/resharder";

/** Splits and merges shards, and answers whether the fleet has followed. It may read the lease table, and write one row of it: the fleet's bell. */
export class ResharderFunction extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, { stream, leaseTable }: ResharderFunctionProps) {
    super(scope, id);
    bundle();
    const logGroup = new LogGroup(this, "Logs", {
      retention: RetentionDays.ONE_WEEK,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    // Its own role rather than CDK's, which comes with a managed policy for every log group of the account.
    const role = new Role(this, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    logGroup.grantWrite(role);
    this.function = new LambdaFunction(this, "Function", {
      role,
      logGroup,
      code: Code.fromAsset(BUNDLE_FOLDER),
      handler: "index.handler",
      runtime: Runtime.NODEJS_22_X,
      architecture: Architecture.ARM_64,
      memorySize: 512,
      // A round of work; what is left is done in the next (`done: false`).
      timeout: Duration.minutes(5),
      environment: { [NAMES.streamName]: stream.streamName, [NAMES.leaseTableName]: leaseTable.tableName },
    });
    Validations.of(this.function).acknowledge({
      id: "AwsSolutions-L1",
      reason:
        "Node 22 is supported until 2027, and nearest to the Node 20 that runs it on the embedded endpoint.",
    });
    const may = (statement: PolicyStatement) => role.addToPolicy(statement);
    may(
      new PolicyStatement({
        actions: [
          "kinesis:DescribeStreamSummary",
          "kinesis:ListShards",
          "kinesis:SplitShard",
          "kinesis:MergeShards",
          "kinesis:UpdateShardCount",
        ],
        resources: [stream.streamArn],
      }),
    );
    may(new PolicyStatement({ actions: ["dynamodb:Scan"], resources: [leaseTable.tableArn] }));
    may(
      new PolicyStatement({
        actions: ["dynamodb:UpdateItem"],
        resources: [leaseTable.tableArn],
        conditions: { "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": [fleetRowKey(0)] } },
      }),
    );
  }
}

/** esbuild by its API: a tenth of a second, where NodejsFunction starts processes to find and run it. */
function bundle(): void {
  buildSync({
    entryPoints: ["services/resharder/handler.ts"],
    outfile: `${BUNDLE_FOLDER}/index.mjs`,
    bundle: true,
    format: "esm",
    platform: "node",
    // The embedded endpoint runs it with this machine's Node 20, AWS with 22.
    target: "node20",
    mainFields: ["module", "main"],
    minify: true,
    keepNames: true,
    legalComments: "none",
    banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
  });
}
