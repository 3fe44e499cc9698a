import {
  type Dimension,
  GetMetricStatisticsCommand,
  ListMetricsCommand,
  type Metric,
} from "@aws-sdk/client-cloudwatch";
import { closest } from "../../../src/suggest.ts";
import type { Clients } from "../../aws/clients.ts";
import { CommandError } from "../../errors.ts";
import { renderTable } from "../../terminal/table.ts";
import { numberFor } from "../arguments.ts";
import type { GlobalOptions, Register } from "../context.ts";
import { withSite } from "../site.ts";

interface Options extends GlobalOptions {
  readonly minutes: number;
  readonly json?: boolean;
}

const MAX_PAGES = 50;
const PERIOD_SECONDS = 60;

export const registerMetrics: Register = (program, context) => {
  program
    .command("metrics")
    .description("the metrics as CloudWatch has them: all names, or one of them over the last minutes")
    .argument("[name]", "metric, RecordsProcessed say")
    .option("--minutes <n>", "how far back", numberFor("--minutes", { min: 1, max: 1_440 }), 15)
    .option("--json", "as JSON")
    .action(async (name: string | undefined, _local, command) => {
      const options: Options = command.optsWithGlobals();
      await withSite(context, options, async ({ clients, deployment }) => {
        const metrics = await listMetrics(clients, deployment.application);
        if (name === undefined) {
          const names = countByName(metrics);
          if (options.json) context.printJson(names);
          else for (const line of nameLines(names, deployment.application)) context.print(line);
          return;
        }
        const wanted = requireName(name, metrics);
        const end = context.clock.wallMillis();
        const series = await Promise.all(
          metrics
            .filter((metric) => metric.MetricName === wanted)
            .map((metric) => statistics(clients, metric, end - options.minutes * 60_000, end)),
        );
        if (options.json) context.printJson(series);
        else for (const line of seriesLines(wanted, series, options.minutes)) context.print(line);
      });
    });
};

async function listMetrics(clients: Clients, namespace: string): Promise<Metric[]> {
  const metrics: Metric[] = [];
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await clients.cloudWatch.send(
      new ListMetricsCommand({ Namespace: namespace, ...(token === undefined ? {} : { NextToken: token }) }),
    );
    metrics.push(...(answer.Metrics ?? []));
    token = answer.NextToken;
    if (token === undefined) break;
  }
  return metrics;
}

function requireName(name: string, metrics: readonly Metric[]): string {
  const names = Object.keys(countByName(metrics));
  if (names.includes(name)) return name;
  if (names.length === 0)
    throw new CommandError(
      "CloudWatch has no metrics of this application yet; consumers send theirs every minute or less",
    );
  const near = closest(name, names);
  throw new CommandError(
    `no metric ${name}; ${near ? `did you mean ${near}?` : `there are ${names.join(", ")}`}`,
    2,
  );
}

const countByName = (metrics: readonly Metric[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { MetricName: name = "" } of metrics) counts[name] = (counts[name] ?? 0) + 1;
  return Object.fromEntries(Object.entries(counts).toSorted(([a], [b]) => (a < b ? -1 : 1)));
};

function nameLines(names: Readonly<Record<string, number>>, namespace: string): string[] {
  const rows = Object.entries(names).map(([name, count]) => [name, String(count)]);
  if (rows.length === 0) return [`no metrics in namespace ${namespace} yet`];
  return renderTable(
    [{ title: `metric (namespace ${namespace})` }, { title: "series", align: "right" }],
    rows,
  );
}

interface Series {
  readonly dimensions: Readonly<Record<string, string>>;
  readonly unit: string;
  readonly points: readonly {
    readonly t: number;
    readonly sum: number;
    readonly average: number;
    readonly max: number;
  }[];
}

async function statistics(clients: Clients, metric: Metric, from: number, to: number): Promise<Series> {
  const answer = await clients.cloudWatch.send(
    new GetMetricStatisticsCommand({
      Namespace: metric.Namespace,
      MetricName: metric.MetricName,
      Dimensions: metric.Dimensions,
      StartTime: new Date(from),
      EndTime: new Date(to),
      Period: PERIOD_SECONDS,
      Statistics: ["Sum", "Average", "Maximum"],
    }),
  );
  const points = (answer.Datapoints ?? [])
    .map((point) => ({
      t: point.Timestamp?.getTime() ?? 0,
      sum: point.Sum ?? 0,
      average: point.Average ?? 0,
      max: point.Maximum ?? 0,
    }))
    .toSorted((a, b) => a.t - b.t);
  return {
    dimensions: Object.fromEntries(
      (metric.Dimensions ?? []).map(({ Name = "", Value = "" }: Dimension) => [Name, Value]),
    ),
    unit: answer.Datapoints?.[0]?.Unit ?? "",
    points,
  };
}

/** Pure. One row per series: its sum and maximum over the time, and the average of its newest minute. */
export function seriesLines(name: string, series: readonly Series[], minutes: number): string[] {
  const rows = series
    .filter(({ points }) => points.length > 0)
    .map(({ dimensions, points }) => [
      Object.values(dimensions).join(" ") || "(all)",
      figure(points.reduce((sum, point) => sum + point.sum, 0)),
      figure(Math.max(...points.map((point) => point.max))),
      figure(points.at(-1)?.average ?? 0),
    ])
    .toSorted((a, b) => ((a[0] ?? "") < (b[0] ?? "") ? -1 : 1));
  if (rows.length === 0) return [`${name}: nothing in the last ${minutes} minutes`];
  const right = (title: string) => ({ title, align: "right" as const });
  return renderTable(
    [{ title: `${name}, last ${minutes} min` }, right("sum"), right("max"), right("last average")],
    rows,
  );
}

const figure = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(2));
