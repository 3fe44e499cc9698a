/**
 * Sends measurements to CloudWatch. They are added up in memory and sent as one PutMetricData per interval,
 * so that a worker makes four calls a minute whatever it measures (goal: at most 5·W for W workers; KCL makes
 * about 20·W). A lost metric never stops a worker: failures are logged, and the values are sent with the next
 * flush.
 *
 * CloudWatch charges by series. At the default level their number is fixed, however many shards and workers
 * there are (docs/cost.md).
 */
import { type CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { errorClassOf } from "../../core/error-class.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/logger.ts";
import type { Metrics } from "../../ports/metrics.ts";
import { fleetWide, isFleetWide, MetricSeries, metricDatum, type Series } from "./metric-series.ts";

export interface CloudWatchMetricsOptions {
  readonly client: CloudWatchClient;
  /** The application name, as in KCL. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * "summary" (default): the fleet as a whole. "detailed": also a series for each shard, for each worker and
   * for per-call timings.
   */
  readonly level?: "summary" | "detailed";
  /** Milliseconds. Default: 15 s, which makes four calls a minute and still updates a live dashboard. */
  readonly flushIntervalMillis?: number;
}

/** PutMetricData's limit. Further series wait for the next flush, ahead of newer ones. */
const MAX_METRICS_A_CALL = 1_000;
/** Five flushes' worth: the most that is kept, added up, however long CloudWatch does not answer. */
const MAX_SERIES = 5 * MAX_METRICS_A_CALL;
/**
 * Enough to find one series among a thousand by halving. It also bounds the calls when CloudWatch refuses all
 * series.
 */
const MAX_CALLS_PER_FLUSH = 24;
/** At most one warning in this time. The next one has the number of failed flushes. */
const COMPLAINT_INTERVAL_MILLIS = 300_000;
/**
 * The last 15 s of measurements may cost one second of a shutdown, not more: ECS and Kubernetes kill the
 * process after 30 s, and the leases need that time.
 */
const STOP_LIMIT_MILLIS = 1_000;

export function cloudWatchMetrics(options: CloudWatchMetricsOptions): Metrics {
  const { level = "summary", logger, clock, flushIntervalMillis = 15_000 } = options;
  const sender = new MetricSender(options);
  const stopping = new AbortController();

  async function run(): Promise<void> {
    await clock.sleep(flushIntervalMillis, stopping.signal);
    while (!stopping.signal.aborted) {
      await sender.flush();
      await clock.sleep(flushIntervalMillis, stopping.signal);
    }
  }
  /**
   * Starts with the first measurement: a worker that was created and never started keeps no process alive.
   */
  let running: Promise<void> | undefined;

  return {
    record(name, value, unit, dimensions, measured = "summary") {
      if (measured === "detailed" && level !== "detailed") return;
      running ??= run();
      const isWhole = isFleetWide(dimensions);
      if (isWhole || measured === "summary") sender.series.add(name, value, unit, fleetWide(dimensions));
      if (!isWhole && level === "detailed") sender.series.add(name, value, unit, dimensions);
    },
    async stop() {
      stopping.abort();
      const sent = (running ?? Promise.resolve()).then(() => sender.flushAll());
      const settled = new AbortController();
      const isLate = await Promise.race([
        sent.then(() => false),
        clock.sleep(STOP_LIMIT_MILLIS, settled.signal).then(() => true),
      ]);
      settled.abort();
      sender.giveUp();
      if (isLate) {
        logger.warn(
          {},
          `CloudWatch has not taken the last metrics within ${STOP_LIMIT_MILLIS} ms: they are lost`,
        );
      } else if (sender.series.size > 0) {
        logger.warn({ waitingSeries: sender.series.size }, "metrics were left unsent at stop");
      }
    },
  };
}

class MetricSender {
  readonly series = new MetricSeries(MAX_SERIES);
  readonly #options: CloudWatchMetricsOptions;
  readonly #givingUp = new AbortController();
  #failedFlushes = 0;
  #dropped = 0;
  #complainedAtMillis = Number.NEGATIVE_INFINITY;

  constructor(options: CloudWatchMetricsOptions) {
    this.#options = options;
  }

  /** Aborts calls in flight. */
  giveUp(): void {
    this.#givingUp.abort();
  }

  /**
   * Flushes until nothing is left, including what is measured meanwhile, or until CloudWatch does not accept
   * it. Never rejects.
   */
  async flushAll(): Promise<void> {
    let isTaken: boolean;
    do isTaken = await this.flush();
    while (isTaken && this.series.size > 0);
  }

  /**
   * Sends the collected series, up to one call's worth. Never rejects. False: some of them were not accepted.
   */
  async flush(): Promise<boolean> {
    this.#dropped += this.series.takeDropped();
    if (this.#dropped > 0) this.#complain();
    let parts = [this.series.take(MAX_METRICS_A_CALL)].filter((part) => part.length > 0);
    const refused: Readonly<Series>[] = [];
    let hasAccepted = false;
    let failure: unknown;
    for (let calls = 0; parts.length > 0 && calls < MAX_CALLS_PER_FLUSH; calls++) {
      const [part = [], ...rest] = parts;
      try {
        await this.#put(part);
        hasAccepted = true;
        parts = rest;
      } catch (error) {
        failure = error;
        if (!isRefusal(error)) break;
        // One series that CloudWatch refuses must not block the others: halve the call until that series is
        // alone.
        const middle = Math.ceil(part.length / 2);
        if (part.length > 1) parts = [part.slice(0, middle), part.slice(middle), ...rest];
        else {
          refused.push(...part);
          parts = rest;
        }
      }
    }
    // If CloudWatch accepts no series at all, the series are not the cause.
    if (hasAccepted) for (const series of refused) this.#refuse(series);
    else parts.push(refused);
    const left = parts.flat();
    this.series.putBack(left);
    if (left.length > 0) this.#failed(failure);
    return left.length === 0;
  }

  async #put(part: readonly Readonly<Series>[]): Promise<void> {
    const { client, namespace, clock } = this.#options;
    const timestamp = new Date(clock.wallMillis());
    await client.send(
      new PutMetricDataCommand({
        Namespace: namespace,
        MetricData: part.map((one) => metricDatum(one, timestamp)),
      }),
      { abortSignal: this.#givingUp.signal },
    );
  }

  #failed(error: unknown): void {
    // `stop` has aborted this call, and logs it.
    if (this.#givingUp.signal.aborted) return;
    this.#failedFlushes++;
    this.#complain(error);
  }

  #refuse(series: Readonly<Series>): void {
    this.series.refuse(series);
    this.#options.logger.error(
      { metric: series.name, dimensions: series.dimensions },
      "CloudWatch refuses this series, and takes the others: it is not sent any more",
    );
  }

  #complain(error?: unknown): void {
    const { clock, logger } = this.#options;
    if (clock.monotonicMillis() - this.#complainedAtMillis < COMPLAINT_INTERVAL_MILLIS) return;
    this.#complainedAtMillis = clock.monotonicMillis();
    logger.warn(
      {
        err: error,
        failedFlushes: this.#failedFlushes,
        dropped: this.#dropped,
        waitingSeries: this.series.size,
      },
      this.#dropped > 0
        ? `measurements were dropped: not a number, refused by CloudWatch, or of more than ${MAX_SERIES} series`
        : "CloudWatch did not take the metrics; they are kept for the next flush",
    );
    this.#failedFlushes = 0;
    this.#dropped = 0;
  }
}

/** The content of the call is refused, not the caller or the moment. */
function isRefusal(error: unknown): boolean {
  const { name = "", $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
  return (
    errorClassOf(name) === "invalid" ||
    /^(InvalidParameter|MissingRequiredParameter|MissingParameter|ValidationError)/.test(name) ||
    $metadata?.httpStatusCode === 413
  );
}
