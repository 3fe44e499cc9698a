import type { Duration } from "aws-cdk-lib";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import type { ContainerImage, FargateService, ICluster } from "aws-cdk-lib/aws-ecs";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IStream } from "aws-cdk-lib/aws-kinesis";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { CONSUMER_ENVIRONMENT as NAMES } from "../../services/contract/environment.ts";
import { FleetService } from "./fleet-service.ts";
import { InitialTaskCount } from "./initial-task-count.ts";

export interface ConsumerServiceProps {
  readonly cluster: ICluster;
  readonly image: ContainerImage;
  readonly stream: IStream;
  readonly leaseTable: ITable;
  /** Metric namespace. */
  readonly applicationName: string;
  /**
   * Tasks of a new service. Later deployments leave the count unchanged. 0: no tasks, and every deployment
   * sets 0 again.
   */
  readonly initialTasks: number;
  /** The time a worker may take after SIGTERM to hand over its leases. */
  readonly stopBudget: Duration;
  /** From SIGTERM to SIGKILL; must be longer than `stopBudget`. */
  readonly stopTimeout: Duration;
  /** A log line per record and batch. @default false */
  readonly historyToLog?: boolean;
  /** Directory for history files. @default - none are written */
  readonly historyDirectory?: string;
  /** Limit of the lease cap min(limit, ceil(shards / workers)). @default 10, the seed's */
  readonly maxLeasesLimit?: number;
  /** A worker without a heartbeat for this long is marked dead. */
  readonly failoverTimeMillis: number;
}

/**
 * The consumer fleet: each task is one worker. A task may read the stream, maintain its lease rows and send
 * its own metrics.
 */
export class ConsumerService extends Construct {
  readonly service: FargateService;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: ConsumerServiceProps) {
    super(scope, id);
    const { stream, leaseTable, applicationName, stopBudget, stopTimeout } = props;
    if (stopTimeout.toMilliseconds() <= stopBudget.toMilliseconds()) {
      throw new Error(
        `stopTimeout is ${stopTimeout.toMilliseconds()} ms and stopBudget ${stopBudget.toMilliseconds()} ms; the timeout must be longer, or tasks are killed while they hand over`,
      );
    }
    const fleet = new FleetService(this, "Fleet", {
      cluster: props.cluster,
      image: props.image,
      containerName: "consumer",
      ...(props.initialTasks === 0 && { desiredCount: 0 }),
      stopTimeout,
      environment: {
        [NAMES.applicationName]: applicationName,
        [NAMES.streamName]: stream.streamName,
        [NAMES.leaseTableName]: leaseTable.tableName,
        [NAMES.maxLeasesLimit]: String(props.maxLeasesLimit ?? 10),
        [NAMES.failoverTimeMillis]: String(props.failoverTimeMillis),
        [NAMES.shardSyncIntervalMillis]: "5000",
        [NAMES.enableLeaseStealing]: "true",
        [NAMES.stopBudgetMillis]: String(stopBudget.toMilliseconds()),
        ...(props.historyToLog && { [NAMES.history]: "log" }),
        ...(props.historyDirectory !== undefined && { [NAMES.historyDirectory]: props.historyDirectory }),
      },
    });
    this.service = fleet.service;
    this.logGroup = fleet.logGroup;
    if (props.initialTasks > 0)
      new InitialTaskCount(this, "InitialTasks", { service: fleet.service, count: props.initialTasks });

    const may = (statement: PolicyStatement) => fleet.taskDefinition.addToTaskRolePolicy(statement);
    may(
      new PolicyStatement({
        actions: [
          "kinesis:ListShards",
          "kinesis:GetShardIterator",
          "kinesis:GetRecords",
          "kinesis:DescribeStreamSummary",
        ],
        resources: [stream.streamArn],
      }),
    );
    may(
      new PolicyStatement({
        actions: ["DescribeTable", "GetItem", "Scan", "PutItem", "UpdateItem", "DeleteItem"].map(
          (action) => `dynamodb:${action}`,
        ),
        resources: [leaseTable.tableArn],
      }),
    );
    may(
      new PolicyStatement({
        actions: ["cloudwatch:PutMetricData"],
        // The action supports no resource restriction; the namespace condition limits it.
        resources: ["*"],
        conditions: { StringEquals: { "cloudwatch:namespace": applicationName } },
      }),
    );
  }
}
