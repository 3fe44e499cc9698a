import { Duration } from "aws-cdk-lib";
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard as CloudWatchDashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
} from "aws-cdk-lib/aws-cloudwatch";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import type { FargateService } from "aws-cdk-lib/aws-ecs";
import type { IStream } from "aws-cdk-lib/aws-kinesis";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import type { FleetMetrics } from "./fleet-metrics.ts";

export interface DashboardProps {
  readonly fleet: FleetMetrics;
  readonly alarms: readonly Alarm[];
  readonly stream: IStream;
  readonly leaseTable: ITable;
  readonly consumerService: FargateService;
  readonly stateMachine: StateMachine;
}

/**
 * The dashboard. Each of its metrics is one series for the whole fleet, regardless of the number of workers
 * and shards.
 */
export class Dashboard extends Construct {
  readonly dashboard: CloudWatchDashboard;

  constructor(scope: Construct, id: string, props: DashboardProps) {
    super(scope, id);
    const { fleet, alarms, stream, leaseTable, consumerService, stateMachine } = props;
    const sum = { statistic: "Sum" };
    const status = { title: "Alarms", alarms: [...alarms], width: 24, height: 3 };
    this.dashboard = new CloudWatchDashboard(this, "Resource", {
      defaultInterval: Duration.hours(1),
      widgets: [
        [new AlarmStatusWidget(status) as IWidget],
        [
          graph("Leases per worker", fleet.leasesPerWorker()),
          graph(
            "Unowned, halted, beyond the caps",
            [fleet.unownedShards(), fleet.haltedShards(), fleet.leaseSpillover()],
            [fleet.leaseImbalance()],
          ),
        ],
        [
          graph(
            "Behind the tip (ms)",
            [fleet.millisBehindLatest()],
            [stream.metricGetRecordsIteratorAgeMilliseconds()],
          ),
          graph("Records in and out", [stream.metricIncomingRecords(sum), stream.metricGetRecords(sum)]),
        ],
        [
          graph(
            "Errors, and longest block of an event loop (ms)",
            [fleet.errors(), fleet.errorsForAPerson()],
            [fleet.eventLoopBlockedMillis()],
          ),
          graph("Lease table units", [
            leaseTable.metricConsumedReadCapacityUnits(),
            leaseTable.metricConsumedWriteCapacityUnits(),
          ]),
        ],
        [
          graph(
            "Consumer tasks",
            [consumerService.metricCpuUtilization()],
            [consumerService.metricMemoryUtilization()],
          ),
          graph(
            "Rebalances",
            [stateMachine.metricStarted(), stateMachine.metricSucceeded(), stateMachine.metricFailed()],
            [stateMachine.metricTime()],
          ),
        ],
      ],
    });
  }
}

/** CDK's types do not support exactOptionalPropertyTypes: its classes do not match its interfaces. */
const graph = (title: string, left: IMetric[], right: IMetric[] = []) =>
  new GraphWidget({ title, left, right, width: 12, height: 6 }) as IWidget;
