import { Duration } from "aws-cdk-lib";
import {
  Alarm,
  AlarmStatusWidget,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import type { ITable } from "aws-cdk-lib/aws-dynamodb";
import type { FargateService } from "aws-cdk-lib/aws-ecs";
import type { IStream } from "aws-cdk-lib/aws-kinesis";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { FleetMetrics } from "./fleet-metrics.ts";

export interface DashboardAndAlarmsProps {
  /** Metric namespace. */
  readonly applicationName: string;
  readonly stream: IStream;
  readonly leaseTable: ITable;
  readonly consumerService: FargateService;
  readonly stateMachine: StateMachine;
  /** Whether silence of the fleet is a fault: a stack deployed without workers has nothing to say. */
  readonly expectsWorkers: boolean;
}

/** What to look at, and what to be called for. The alarms notify nobody until a topic is added: whose is not this stack's to say. */
export class DashboardAndAlarms extends Construct {
  readonly dashboard: Dashboard;
  readonly alarms: readonly Alarm[];

  constructor(scope: Construct, id: string, props: DashboardAndAlarmsProps) {
    super(scope, id);
    const { stream, leaseTable, consumerService, stateMachine } = props;
    const fleet = new FleetMetrics(props.applicationName);

    /** Above `limit` for `minutes` in a row. */
    const alarm = (
      name: string,
      metric: IMetric,
      limit: number,
      minutes: number,
      meaning: string,
      silenceIsBad = false,
    ) =>
      new Alarm(this, name, {
        metric,
        threshold: limit,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: minutes,
        treatMissingData: silenceIsBad ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
        alarmDescription: meaning,
      });
    const failed = (metric: IMetric, name: string, word: string) =>
      alarm(name, metric, 0, 1, `A rebalance ${word}: see the state machine's last execution.`);
    this.alarms = [
      alarm(
        "UnownedShards",
        fleet.unownedShards(),
        0,
        2,
        "Shards have had no owner for two minutes, or no worker leads the fleet: nobody reads them.",
        props.expectsWorkers,
      ),
      alarm(
        "UnevenFleet",
        fleet.leaseImbalance(),
        1,
        5,
        "Workers have differed by more than one lease for five minutes.",
      ),
      alarm(
        "CapTooLow",
        fleet.leaseSpillover(),
        0,
        5,
        "The lease caps leave shards unowned: add workers or raise MAX_LEASES_LIMIT.",
      ),
      alarm(
        "HaltedShards",
        fleet.haltedShards(),
        0,
        1,
        "A handler failed for good and stopped its shard: see the consumers' log.",
      ),
      alarm(
        "FarBehind",
        fleet.millisBehindLatest(),
        60_000,
        3,
        "The slowest shard has been a minute or more behind for three minutes.",
      ),
      failed(stateMachine.metricFailed(MINUTELY), "RebalanceFailed", "failed"),
      failed(stateMachine.metricTimedOut(MINUTELY), "RebalanceTimedOut", "ran out of time"),
    ];

    // CDK is not typed for exactOptionalPropertyTypes: its classes do not fit its interfaces.
    const graph = (title: string, left: IMetric[], right: IMetric[] = []) =>
      new GraphWidget({ title, left, right, width: 12, height: 6 }) as IWidget;
    const status = new AlarmStatusWidget({
      title: "Alarms",
      alarms: [...this.alarms],
      width: 24,
      height: 3,
    }) as IWidget;
    const sum = { statistic: "Sum" };
    this.dashboard = new Dashboard(this, "Dashboard", {
      defaultInterval: Duration.hours(1),
      widgets: [
        [status],
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
          graph("Lease table units", [
            leaseTable.metricConsumedReadCapacityUnits(),
            leaseTable.metricConsumedWriteCapacityUnits(),
          ]),
          graph(
            "Consumer tasks",
            [consumerService.metricCpuUtilization()],
            [consumerService.metricMemoryUtilization()],
          ),
        ],
        [
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

const MINUTELY = { period: Duration.minutes(1) };
