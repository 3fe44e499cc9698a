import { Duration } from "aws-cdk-lib";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IStream } from "aws-cdk-lib/aws-kinesis";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import { RESHARDER_ENVIRONMENT as NAMES } from "../../services/contract/environment.ts";
import { fleetRowKey } from "../../src/adapters/dynamodb/own-rows.ts";
import { bundledFunction } from "./bundled-function.ts";

export interface ResharderFunctionProps {
  readonly stream: IStream;
  readonly leaseTable: ITable;
}

/**
 * Splits and merges shards, and reports whether the fleet has followed. It may read the lease table and
 * update one of its rows: fleet row 0, to wake the leader.
 */
export class ResharderFunction extends Construct {
  readonly function: IFunction;

  constructor(scope: Construct, id: string, { stream, leaseTable }: ResharderFunctionProps) {
    super(scope, id);
    const { function: made, role } = bundledFunction(this, {
      name: "resharder",
      entry: "services/resharder/handler.ts",
      memorySize: 512,
      // One round of work. The next round does the rest (`done: false`).
      timeout: Duration.minutes(5),
      environment: { [NAMES.streamName]: stream.streamName, [NAMES.leaseTableName]: leaseTable.tableName },
    });
    this.function = made as IFunction; // CDK's types do not support exactOptionalPropertyTypes
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
