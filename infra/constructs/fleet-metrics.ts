import { Duration } from "aws-cdk-lib";
import { type IMetric, Metric } from "aws-cdk-lib/aws-cloudwatch";

/** The workers' metrics, with KCL's names and dimensions where KCL has the metric. */
export class FleetMetrics {
  readonly #namespace: string;

  constructor(applicationName: string) {
    this.#namespace = applicationName;
  }

  /** Open shards without an owner, counted by the leader. */
  unownedShards = () => this.#fleetWide("UnownedShards", "LeaseAssignment");
  /** The highest lease count of a worker minus the lowest. */
  leaseImbalance = () => this.#fleetWide("LeaseImbalance", "LeaseAssignment");
  /** Shards whose handler failed permanently under the policy "stop". */
  haltedShards = () => this.#fleetWide("HaltedShards", "LeaseAssignment");
  /** Shards left unowned because of the lease caps. */
  leaseSpillover = () => this.#fleetWide("LeaseSpillover", "LeaseAssignment");
  /** The value of the slowest shard. */
  millisBehindLatest = () => this.#fleetWide("MillisBehindLatest", "ApplicationTracker");

  /** The longest time that a worker's event loop was blocked. */
  eventLoopBlockedMillis = () => this.#fleetWide("EventLoopBlockedMillis", "Worker");
  /** Failed calls and handlers, of every class. */
  errors = () => this.#fleetWide("Errors", "AllErrors").with({ statistic: "Sum" });
  /** Errors that need an operator: denied access, unknown credentials, a KMS key, a name. */
  errorsForAPerson = () => this.#fleetWide("Errors", "ErrorsForAPerson").with({ statistic: "Sum" });
  /** The number of measurements by workers. No worker running means no data. */
  measurements = () => this.#fleetWide("CurrentLeases", "RenewAllLeases").with({ statistic: "SampleCount" });

  /**
   * Minimum, mean and maximum of the workers' lease counts, as one series each for the fleet. A series per
   * worker would cost one more series for every task a deployment starts; `metricsLevel: "detailed"` sends
   * those.
   */
  leasesPerWorker = (): IMetric[] =>
    ["Minimum", "Average", "Maximum"].map((statistic) =>
      this.#fleetWide("CurrentLeases", "RenewAllLeases").with({
        statistic,
        label: `${statistic} of a worker`,
      }),
    );

  #fleetWide(metricName: string, operation: string): Metric {
    return new Metric({
      namespace: this.#namespace,
      metricName,
      dimensionsMap: { Operation: operation },
      statistic: "Maximum",
      period: Duration.minutes(1),
    });
  }
}
