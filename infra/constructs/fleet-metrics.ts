import { Duration } from "aws-cdk-lib";
import { type IMetric, Metric } from "aws-cdk-lib/aws-cloudwatch";

/** The workers' metrics: KCL's names and dimensions where KCL has one. */
export class FleetMetrics {
  readonly #namespace: string;

  constructor(applicationName: string) {
    this.#namespace = applicationName;
  }

  /** Open shards without an owner, as the leading worker sees them. */
  unownedShards = () => this.#fleetWide("UnownedShards", "LeaseAssignment");
  /** Most leases of a worker minus fewest. */
  leaseImbalance = () => this.#fleetWide("LeaseImbalance", "LeaseAssignment");
  /** Shards whose handler failed for good under the policy "stop". */
  haltedShards = () => this.#fleetWide("HaltedShards", "LeaseAssignment");
  /** Shards that the caps leave unowned. */
  leaseSpillover = () => this.#fleetWide("LeaseSpillover", "LeaseAssignment");
  /** Of the slowest shard. */
  millisBehindLatest = () => this.#fleetWide("MillisBehindLatest", "ApplicationTracker");

  /** Longest block of a worker's event loop. */
  eventLoopBlockedMillis = () => this.#fleetWide("EventLoopBlockedMillis", "Worker");
  /** Failed calls and handlers, of every class. */
  errors = () => this.#fleetWide("Errors", "AllErrors").with({ statistic: "Sum" });
  /** Those that do not pass by themselves: denied, unknown credentials, a key, a name. */
  errorsForAPerson = () => this.#fleetWide("Errors", "ErrorsForAPerson").with({ statistic: "Sum" });
  /** How often workers measured at all: silence is no data. */
  measurements = () => this.#fleetWide("CurrentLeases", "RenewAllLeases").with({ statistic: "SampleCount" });

  /**
   * Fewest, mean and most of the workers' leases: one series for the fleet. A series per worker would cost one more for
   * every task that a deployment starts; `metricsLevel: "detailed"` sends them.
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
