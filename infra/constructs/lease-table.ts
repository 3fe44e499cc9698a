import { RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, BillingMode, type ITable, Table } from "aws-cdk-lib/aws-dynamodb";
import { Construct } from "constructs";

export interface LeaseTableProps {
  /**
   * What happens to the table with the stack. The stack deletes its stream too, and checkpoints of a stream that is
   * gone are worth nothing; should it have been a mistake, DynamoDB keeps a backup of a table with point-in-time
   * recovery for 35 days after its deletion, free of charge. Use RETAIN where the stream outlives the stack.
   * @default RemovalPolicy.DESTROY
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** KCL's lease table: its key schema, on demand, as KCL creates it. */
export class LeaseTable extends Construct {
  readonly table: ITable;

  constructor(scope: Construct, id: string, props: LeaseTableProps = {}) {
    super(scope, id);
    this.table = new Table(this, "Resource", {
      partitionKey: { name: "leaseKey", type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: props.removalPolicy ?? RemovalPolicy.DESTROY,
    }) as ITable; // CDK is not typed for exactOptionalPropertyTypes: its classes do not fit its interfaces
  }
}
