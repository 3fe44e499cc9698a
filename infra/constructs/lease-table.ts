import { RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, BillingMode, type ITable, Table } from "aws-cdk-lib/aws-dynamodb";
import { Construct } from "constructs";

export interface LeaseTableProps {
  /**
   * What happens to the table when the stack is deleted. The stack deletes its stream too, and checkpoints of
   * a deleted stream are worthless. After a mistaken deletion, DynamoDB keeps a backup of a table with
   * point-in-time recovery for 35 days, free of charge. Use RETAIN if the stream outlives the stack.
   * @default RemovalPolicy.DESTROY
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** KCL's lease table, with its key schema and on-demand capacity, as KCL creates it. */
export class LeaseTable extends Construct {
  readonly table: ITable;

  constructor(scope: Construct, id: string, props: LeaseTableProps = {}) {
    super(scope, id);
    this.table = new Table(this, "Resource", {
      partitionKey: { name: "leaseKey", type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: props.removalPolicy ?? RemovalPolicy.DESTROY,
    }) as ITable; // CDK's types do not support exactOptionalPropertyTypes
  }
}
