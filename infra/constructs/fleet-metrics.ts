import { Duration } from "aws-cdk-lib";
import { type IMetric, MathExpression, Metric } from "aws-cdk-lib/aws-cloudwatch";

/** The workers' metrics: KCL's names and dimensions where KCL has one. */
export class FleetMetrics {
  private readonly namespace: string;

  constructor(applicationName: string) {
    this.namespace = applicationName;
  }

  /** Open shards without an owner, as the leading worker sees them. */
  unownedShards = () => this.fleetWide("UnownedShards", "LeaseAssignment");
  /** Most leases of a worker minus fewest. */
  leaseImbalance = () => this.fleetWide("LeaseImbalance", "LeaseAssignment");
  /** Shards whose handler failed for good under the policy "stop". */
  haltedShards = () => this.fleetWide("HaltedShards", "LeaseAssignment");
  /** Shards that the caps leave unowned. */
  leaseSpillover = () => this.fleetWide("LeaseSpillover", "LeaseAssignment");
  /** Of the slowest shard. */
  millisBehindLatest = () => this.fleetWide("MillisBehindLatest", "ApplicationTracker");

  /** One line per worker, whoever they are: workers come and go, so they are searched for. */
  leasesPerWorker(): IMetric {
    return new MathExpression({
      expression: `SEARCH('{${JSON.stringify(this.namespace)},Operation,WorkerIdentifier} MetricName="CurrentLeases"', 'Average', 60)`,
      label: "",
      usingMetrics: {},
      period: Duration.minutes(1),
    });
  }

  private fleetWide(metricName: string, operation: string): Metric {
    return new Metric({
      namespace: this.namespace,
      metricName,
      dimensionsMap: { Operation: operation },
      statistic: "Maximum",
      period: Duration.minutes(1),
    });
  }
}
