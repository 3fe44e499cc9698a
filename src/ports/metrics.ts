/** Where measurements go. The CloudWatch adapter adds them up and sends one batched PutMetricData per interval. */
export type MetricUnit = "Count" | "Milliseconds" | "Bytes";

/** KCL's dimension names. */
export interface MetricDimensions {
  readonly Operation: string;
  readonly ShardId?: string;
  readonly WorkerIdentifier?: string;
  /** Ours: `core/error-class.ts`. */
  readonly ErrorClass?: string;
}

export interface Metrics {
  /**
   * A measurement of one shard or worker says so in its dimensions. With "summary" configured there is no series per
   * shard or worker, whatever the dimensions: it is added up under `Operation` (and `ErrorClass`) alone. With
   * "detailed" it counts there and in a series of its own.
   *
   * @param level "detailed": not sent at all with "summary", and added up nowhere
   */
  record(
    name: string,
    value: number,
    unit: MetricUnit,
    dimensions: MetricDimensions,
    level?: "summary" | "detailed",
  ): void;
  /** Sends what is left; never throws (a lost metric must not stop a worker), but says so in the log. */
  stop(): Promise<void>;
}

export const noMetrics: Metrics = { record: () => undefined, stop: async () => undefined };
