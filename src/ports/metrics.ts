/**
 * The destination of measurements. The CloudWatch adapter adds them up and sends one batched PutMetricData
 * per interval.
 */
export type MetricUnit = "Count" | "Milliseconds" | "Bytes";

/** KCL's dimension names. */
export interface MetricDimensions {
  readonly Operation: string;
  readonly ShardId?: string;
  readonly WorkerIdentifier?: string;
  /** Not in KCL: `core/error-class.ts`. */
  readonly ErrorClass?: string;
}

export interface Metrics {
  /**
   * The dimensions name the shard or worker that a measurement belongs to. With "summary" configured there
   * are no series per shard or worker: the measurement is added up under `Operation` (and `ErrorClass`)
   * alone. With "detailed" it counts there and in its own series.
   *
   * @param level "detailed": with "summary" configured, the measurement is dropped
   */
  record(
    name: string,
    value: number,
    unit: MetricUnit,
    dimensions: MetricDimensions,
    level?: "summary" | "detailed",
  ): void;
  /** Sends what is left. Never throws, because a lost metric must not stop a worker; logs the failure. */
  stop(): Promise<void>;
}

export const noMetrics: Metrics = { record: () => undefined, stop: async () => undefined };
