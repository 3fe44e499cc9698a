import { Duration } from "aws-cdk-lib";
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from "aws-cdk-lib/aws-cloudwatch";
import type { StateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import type { FleetMetrics } from "./fleet-metrics.ts";

export interface AlarmsProps {
  readonly fleet: FleetMetrics;
  readonly stateMachine: StateMachine;
  /** Whether missing metrics are a fault. A stack deployed without workers sends none. */
  readonly expectsWorkers: boolean;
  /** An event loop blocked for half this time raises an alarm, before other workers mark the worker dead. */
  readonly failoverTimeMillis: number;
}

interface Trouble {
  readonly metric: IMetric;
  /** The alarm is raised above this value. */
  readonly limit: number;
  /** Number of consecutive minutes above the limit. */
  readonly minutes: number;
  readonly meaning: string;
  /** Missing data raises the alarm too, if workers are expected. @default false */
  readonly silenceIsBad?: boolean;
}

/**
 * One alarm per kind of failure; docs/operations.md describes the remedy for each. They send no notification
 * until the operator adds a topic: the stack cannot know the recipient.
 */
export class Alarms extends Construct {
  readonly all: readonly Alarm[];

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const troubles = { ...fleetTroubles(props), ...rebalanceTroubles(props.stateMachine) };
    const alarms = Object.entries(troubles).map(([name, trouble]) => {
      const { metric, limit, minutes, meaning, silenceIsBad = false } = trouble;
      return new Alarm(this, name, {
        metric,
        threshold: limit,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: minutes,
        treatMissingData: missingData(silenceIsBad && props.expectsWorkers),
        alarmDescription: meaning,
      });
    });
    this.all = props.expectsWorkers ? [this.#silence(props.fleet), ...alarms] : alarms;
  }

  /**
   * Counts measurements. The count is at least one wherever there is data, so only missing data raises this
   * alarm.
   */
  #silence(fleet: FleetMetrics): Alarm {
    return new Alarm(this, "FleetSilent", {
      metric: fleet.measurements(),
      threshold: 1,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      evaluationPeriods: 3,
      treatMissingData: TreatMissingData.BREACHING,
      alarmDescription:
        "No worker has sent a metric for three minutes: none runs, or CloudWatch does not take what they send.",
    });
  }
}

const missingData = (isBad: boolean) => (isBad ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING);

function fleetTroubles({ fleet, failoverTimeMillis }: AlarmsProps): Record<string, Trouble> {
  return {
    UnownedShards: {
      metric: fleet.unownedShards(),
      limit: 0,
      minutes: 2,
      meaning: "Shards have been read by no worker for two minutes, or no worker leads the fleet.",
      silenceIsBad: true,
    },
    FarBehind: {
      metric: fleet.millisBehindLatest(),
      limit: 60_000,
      minutes: 3,
      meaning: "The slowest shard has been a minute or more behind for three minutes, or no shard is read.",
      silenceIsBad: true,
    },
    HaltedShards: {
      metric: fleet.haltedShards(),
      limit: 0,
      minutes: 1,
      meaning: "A handler failed for good and its shard stands still; it is tried again once a minute.",
    },
    ErrorsForAPerson: {
      metric: fleet.errorsForAPerson(),
      limit: 0,
      minutes: 2,
      meaning:
        "Calls fail in a way that does not pass by itself: rights, credentials, a KMS key, a name. Workers go on trying.",
    },
    CallsFail: {
      metric: fleet.errors(),
      limit: 0,
      minutes: 10,
      meaning: "Calls or handlers have failed in every one of the last ten minutes.",
    },
    EventLoopBlocked: {
      metric: fleet.eventLoopBlockedMillis(),
      limit: failoverTimeMillis / 2,
      minutes: 1,
      meaning:
        "A worker's event loop stood still for more than half the failover time: its leases are close to being taken.",
    },
    UnevenFleet: {
      metric: fleet.leaseImbalance(),
      limit: 1,
      minutes: 5,
      meaning: "Workers have differed by more than one lease for five minutes.",
    },
    CapTooLow: {
      metric: fleet.leaseSpillover(),
      limit: 0,
      minutes: 5,
      meaning: "The lease caps leave shards unowned: add workers or raise MAX_LEASES_LIMIT.",
    },
  };
}

const MINUTELY = { period: Duration.minutes(1) };

function rebalanceTroubles(stateMachine: StateMachine): Record<string, Trouble> {
  const failed = (metric: IMetric, word: string): Trouble => ({
    metric,
    limit: 0,
    minutes: 1,
    meaning: `A rebalance ${word}: see the state machine's last execution.`,
  });
  return {
    RebalanceFailed: failed(stateMachine.metricFailed(MINUTELY), "failed"),
    RebalanceTimedOut: failed(stateMachine.metricTimedOut(MINUTELY), "ran out of time"),
  };
}
