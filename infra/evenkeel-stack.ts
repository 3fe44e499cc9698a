import { CfnOutput, Duration, Stack, Validations } from "aws-cdk-lib";
import { Cluster, ContainerInsights, type ICluster } from "aws-cdk-lib/aws-ecs";
import type { Construct } from "constructs";
import { ConsumerService } from "./constructs/consumer-service.ts";
import { DashboardAndAlarms } from "./constructs/dashboard-and-alarms.ts";
import { LeaseTable } from "./constructs/lease-table.ts";
import { Network } from "./constructs/network.ts";
import { ProducerService } from "./constructs/producer-service.ts";
import { RebalanceWorkflow } from "./constructs/rebalance-workflow.ts";
import { ResharderFunction } from "./constructs/resharder-function.ts";
import { serviceImage } from "./constructs/service-image.ts";
import { ShardedStream } from "./constructs/sharded-stream.ts";
import type { StackSettings } from "./settings.ts";

/**
 * MiniStack kills a task 5 s after SIGTERM whatever its stopTimeout says; on AWS there is time to finish a slow batch.
 * Both leave the container a second or more after the budget to end by itself.
 */
const STOP = {
  emulated: { budget: Duration.seconds(4), timeout: Duration.seconds(5) },
  aws: { budget: Duration.seconds(25), timeout: Duration.seconds(30) },
};

/** The whole experiment: one stream, its producer, a fleet of consumers, and what reshards and watches them. */
export class EvenkeelStack extends Stack {
  constructor(scope: Construct, id: string, settings: StackSettings) {
    super(scope, id, {
      description: "evenkeel: a Kinesis consumer fleet that stays evenly loaded through reshards",
    });
    const { application, emulated, historyDirectory } = settings;

    const { stream } = new ShardedStream(this, "Stream", { shards: settings.shards });
    const { table } = new LeaseTable(this, "Leases");
    const { vpc } = new Network(this, "Network");
    const cluster = new Cluster(this, "Cluster", {
      vpc,
      containerInsightsV2: ContainerInsights.DISABLED,
    }) as ICluster;

    Validations.of(cluster).acknowledge({
      id: "AwsSolutions-ECS4",
      reason:
        "Insights bill per task; the fleet's own metrics and ECS's free ones answer this stack's questions.",
    });

    const consumers = new ConsumerService(this, "Consumers", {
      cluster,
      image: serviceImage("consumer", emulated),
      stream,
      leaseTable: table,
      applicationName: application,
      desiredCount: settings.pods,
      stopBudget: emulated ? STOP.emulated.budget : STOP.aws.budget,
      stopTimeout: emulated ? STOP.emulated.timeout : STOP.aws.timeout,
      ...(historyDirectory !== undefined && { historyDirectory }),
    });
    const producer = new ProducerService(this, "Producer", {
      cluster,
      image: serviceImage("producer", emulated),
      stream,
      desiredCount: settings.producers,
      rate: settings.rate,
      keys: settings.keys,
      skew: settings.skew,
      ...(historyDirectory !== undefined && { historyDirectory }),
    });
    const resharder = new ResharderFunction(this, "Resharder", { stream, leaseTable: table });
    const workflow = new RebalanceWorkflow(this, "Rebalance", {
      resharder: resharder.function,
      consumerService: consumers.service,
    });
    const { dashboard } = new DashboardAndAlarms(this, "Watch", {
      applicationName: application,
      stream,
      leaseTable: table,
      consumerService: consumers.service,
      stateMachine: workflow.stateMachine,
      expectsWorkers: settings.pods > 0,
    });

    const outputs = {
      StreamName: stream.streamName,
      LeaseTableName: table.tableName,
      ClusterName: cluster.clusterName,
      ConsumerServiceName: consumers.service.serviceName,
      ProducerServiceName: producer.service.serviceName,
      StateMachineArn: workflow.stateMachine.stateMachineArn,
      ResharderFunctionName: resharder.function.functionName,
      DashboardName: dashboard.dashboardName,
      /** What `split-shards --percent` counts from, so that a second run does nothing. */
      DeployedShards: String(settings.shards),
      ConsumerLogGroupName: consumers.logGroup.logGroupName,
      ProducerLogGroupName: producer.logGroup.logGroupName,
    };
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value });
  }
}
