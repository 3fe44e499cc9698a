import { CfnOutput, Duration, Stack, Validations } from "aws-cdk-lib";
import { Cluster, ContainerInsights, type ICluster } from "aws-cdk-lib/aws-ecs";
import type { Construct } from "constructs";
import { Alarms } from "./constructs/alarms.ts";
import { ConsumerService } from "./constructs/consumer-service.ts";
import { Dashboard } from "./constructs/dashboard.ts";
import { FleetMetrics } from "./constructs/fleet-metrics.ts";
import { LeaseTable } from "./constructs/lease-table.ts";
import { Network } from "./constructs/network.ts";
import { ProducerService } from "./constructs/producer-service.ts";
import { RebalanceWorkflow } from "./constructs/rebalance-workflow.ts";
import { ResharderFunction } from "./constructs/resharder-function.ts";
import { serviceImage } from "./constructs/service-image.ts";
import { ShardedStream } from "./constructs/sharded-stream.ts";
import type { StackSettings } from "./settings.ts";

/**
 * MiniStack kills a task 5 s after SIGTERM, regardless of its stopTimeout. On AWS there is time to finish a
 * slow batch. Both leave the container at least a second after the budget to exit by itself.
 */
const STOP = {
  emulated: { budget: Duration.seconds(4), timeout: Duration.seconds(5) },
  aws: { budget: Duration.seconds(25), timeout: Duration.seconds(30) },
};

/** Less than half of the library's default: the lab demonstrates recovery from a crash. */
const FAILOVER_TIME_MILLIS = 4_000;

/**
 * The whole experiment: a stream, its producer, a consumer fleet, and the constructs that reshard and monitor
 * them.
 */
export class EvenkeelStack extends Stack {
  constructor(scope: Construct, id: string, settings: StackSettings) {
    super(scope, id, {
      description: "evenkeel: a Kinesis consumer fleet that stays evenly loaded through reshards",
    });
    const { application, emulated, historyDirectory, history } = settings;

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
      initialTasks: settings.pods,
      failoverTimeMillis: FAILOVER_TIME_MILLIS,
      stopBudget: emulated ? STOP.emulated.budget : STOP.aws.budget,
      stopTimeout: emulated ? STOP.emulated.timeout : STOP.aws.timeout,
      historyToLog: history === "log",
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
      historyToLog: history === "log",
      ...(historyDirectory !== undefined && { historyDirectory }),
    });
    const resharder = new ResharderFunction(this, "Resharder", { stream, leaseTable: table });
    const workflow = new RebalanceWorkflow(this, "Rebalance", {
      resharder: resharder.function,
      consumerService: consumers.service,
    });
    const fleet = new FleetMetrics(application);
    const { stateMachine } = workflow;
    const { all: alarms } = new Alarms(this, "Alarms", {
      fleet,
      stateMachine,
      expectsWorkers: settings.pods > 0,
      failoverTimeMillis: FAILOVER_TIME_MILLIS,
    });
    const { dashboard } = new Dashboard(this, "Dashboard", {
      fleet,
      alarms,
      stream,
      leaseTable: table,
      consumerService: consumers.service,
      stateMachine,
    });

    const outputs = {
      StreamName: stream.streamName,
      LeaseTableName: table.tableName,
      ClusterName: cluster.clusterName,
      ConsumerServiceName: consumers.service.serviceName,
      ProducerServiceName: producer.service.serviceName,
      StateMachineArn: stateMachine.stateMachineArn,
      ResharderFunctionName: resharder.function.functionName,
      DashboardName: dashboard.dashboardName,
      /** The count that `split-shards --percent` starts from, so that a second run does nothing. */
      DeployedShards: String(settings.shards),
      ConsumerLogGroupName: consumers.logGroup.logGroupName,
      ProducerLogGroupName: producer.logGroup.logGroupName,
    };
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value });
  }
}
