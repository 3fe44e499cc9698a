/**
 * Measurements to CloudWatch: added up in memory and sent as one PutMetricData per interval, so that a worker makes
 * four calls a minute whatever it measures (goal: at most 5·W; KCL makes about 20·W). A lost metric never
 * stops a worker: failures are logged, and the values go with the next flush.
 */
import { type CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { Metrics } from "../ports/metrics.ts";
import { MetricSeries, metricDatum } from "./metric-series.ts";

export interface CloudWatchMetricsOptions {
  readonly client: CloudWatchClient;
  /** The application name, as in KCL. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** "summary" (default): what an operator needs. "detailed": also per-call timings, at the price of more series. */
  readonly level?: "summary" | "detailed";
  /** (Default: 15 s, which makes four calls a minute and still moves a live dashboard.) */
  readonly flushIntervalMillis?: number;
}

/** PutMetricData's limit. What is over waits for the next flush, ahead of newer series. */
const MOST_METRICS_A_CALL = 1_000;
/** Five flushes' worth: what is kept, added up, however long CloudWatch does not answer. */
const MOST_SERIES = 5 * MOST_METRICS_A_CALL;
/** At most one complaint in this time; the next one says how many flushes failed. */
const COMPLAINT_INTERVAL_MILLIS = 60_000;

export function cloudWatchMetrics(options: CloudWatchMetricsOptions): Metrics {
  const { client, namespace, clock, logger, level = "summary", flushIntervalMillis = 15_000 } = options;
  const series = new MetricSeries(MOST_SERIES);
  const stopping = new AbortController();
  let failedFlushes = 0;
  let dropped = 0;
  let complainedAtMillis = Number.NEGATIVE_INFINITY;

  function complain(error?: unknown): void {
    if (clock.monotonicMillis() - complainedAtMillis < COMPLAINT_INTERVAL_MILLIS) return;
    complainedAtMillis = clock.monotonicMillis();
    logger.warn(
      { err: error, failedFlushes, dropped, waitingSeries: series.size },
      dropped > 0
        ? `measurements were dropped: not a number, or of more than ${MOST_SERIES} series`
        : "CloudWatch did not take the metrics; they are kept for the next flush",
    );
    failedFlushes = 0;
    dropped = 0;
  }

  async function flush(): Promise<void> {
    dropped += series.takeDropped();
    if (dropped > 0) complain();
    const taken = series.take(MOST_METRICS_A_CALL);
    if (taken.length === 0) return;
    const timestamp = new Date(clock.wallMillis());
    try {
      await client.send(
        new PutMetricDataCommand({
          Namespace: namespace,
          MetricData: taken.map((one) => metricDatum(one, timestamp)),
        }),
      );
    } catch (error) {
      series.putBack(taken);
      failedFlushes++;
      complain(error);
    }
  }

  async function run(): Promise<void> {
    await clock.sleep(flushIntervalMillis, stopping.signal);
    while (!stopping.signal.aborted) {
      await flush();
      await clock.sleep(flushIntervalMillis, stopping.signal);
    }
  }
  /** From the first measurement on: a worker that was made and never started keeps no process alive. */
  let running: Promise<void> | undefined;

  return {
    record(name, value, unit, dimensions, measured = "summary") {
      if (measured === "detailed" && level !== "detailed") return;
      running ??= run();
      series.add(name, value, unit, dimensions);
    },
    async stop() {
      stopping.abort();
      await running;
      await flush();
      if (series.size > 0) logger.warn({ waitingSeries: series.size }, "metrics were left unsent at stop");
    },
  };
}
