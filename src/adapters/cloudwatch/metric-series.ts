/** Measurements added up between two flushes: one StatisticSet per name, unit and dimensions. No I/O. */
import type { MetricDatum } from "@aws-sdk/client-cloudwatch";
import type { MetricDimensions, MetricUnit } from "../../ports/metrics.ts";

export interface Series {
  readonly name: string;
  readonly unit: MetricUnit;
  readonly dimensions: MetricDimensions;
  count: number;
  sum: number;
  minimum: number;
  maximum: number;
}

/** Without the dimensions that make one series per shard or worker. */
export const fleetWide = ({ Operation, ErrorClass }: MetricDimensions): MetricDimensions => ({
  Operation,
  ...(ErrorClass !== undefined && { ErrorClass }),
});

export const isFleetWide = ({ ShardId, WorkerIdentifier }: MetricDimensions): boolean =>
  ShardId === undefined && WorkerIdentifier === undefined;

const MAX_DIMENSION_LENGTH = 255;

/**
 * CloudWatch accepts 1 to 255 printable ASCII characters, not all blank, the first not a colon. It refuses
 * the whole call for one other value.
 */
export function dimensionValue(value: string): string {
  const printable = value.replaceAll(/[^\x20-\x7e]/g, "_").slice(0, MAX_DIMENSION_LENGTH);
  const begun = printable.startsWith(":") ? `_${printable.slice(1)}` : printable;
  return begun.trim() === "" ? "_" : begun;
}

const validDimensions = (dimensions: MetricDimensions): MetricDimensions =>
  Object.fromEntries(
    Object.entries(dimensions)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, dimensionValue(value as string)]),
  ) as unknown as MetricDimensions;

export class MetricSeries {
  /** In the order of their first measurement. They are sent in the same order, so that none waits forever. */
  readonly #series = new Map<string, Series>();
  readonly #mostSeries: number;
  /** Keys of series that CloudWatch refuses. */
  readonly #refused = new Set<string>();
  #dropped = 0;

  /**
   * @param mostSeries how many are kept while CloudWatch does not answer; measurements of further series are
   *   dropped and counted
   */
  constructor(mostSeries: number) {
    this.#mostSeries = mostSeries;
  }

  get size(): number {
    return this.#series.size;
  }

  /** Measurements dropped since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  add(name: string, value: number, unit: MetricUnit, dimensions: MetricDimensions): void {
    // CloudWatch refuses the whole request for one NaN.
    if (!Number.isFinite(value)) {
      this.#dropped++;
      return;
    }
    const valid = validDimensions(dimensions);
    this.#merge({ name, unit, dimensions: valid, count: 1, sum: value, minimum: value, maximum: value });
  }

  /** CloudWatch refuses this series: further measurements of it are dropped and counted. */
  refuse(series: Readonly<Series>): void {
    this.#refused.add(seriesKey(series));
    this.#dropped += series.count;
  }

  /** Removes and returns up to `most` series, oldest first. */
  take(most: number): readonly Readonly<Series>[] {
    const taken: Series[] = [];
    for (const [key, series] of this.#series) {
      if (taken.length >= most) break;
      taken.push(series);
      this.#series.delete(key);
    }
    return taken;
  }

  /** After a failed send. Later measurements of the same series are merged with it. */
  putBack(series: readonly Readonly<Series>[]): void {
    for (const one of series) this.#merge(one);
  }

  #merge(more: Readonly<Series>): void {
    const key = seriesKey(more);
    if (this.#refused.has(key)) {
      this.#dropped += more.count;
      return;
    }
    const series = this.#series.get(key);
    if (series !== undefined) {
      series.count += more.count;
      series.sum += more.sum;
      series.minimum = Math.min(series.minimum, more.minimum);
      series.maximum = Math.max(series.maximum, more.maximum);
    } else if (this.#series.size < this.#mostSeries) {
      this.#series.set(key, { ...more });
    } else {
      this.#dropped += more.count;
    }
  }
}

function seriesKey({ name, unit, dimensions }: Readonly<Series>): string {
  return `${name}\n${unit}\n${dimensions.Operation}\n${dimensions.ShardId ?? ""}\n${dimensions.WorkerIdentifier ?? ""}\n${dimensions.ErrorClass ?? ""}`;
}

export function metricDatum(series: Readonly<Series>, timestamp: Date): MetricDatum {
  return {
    MetricName: series.name,
    Unit: series.unit,
    Timestamp: timestamp,
    Dimensions: Object.entries(series.dimensions).map(([Name, Value]) => ({ Name, Value: Value as string })),
    StatisticValues: {
      SampleCount: series.count,
      Sum: series.sum,
      Minimum: series.minimum,
      Maximum: series.maximum,
    },
  };
}
