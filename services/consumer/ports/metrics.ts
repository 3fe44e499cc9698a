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
  /** `level`: with "summary" configured, "detailed" measurements are not sent. */
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
