/** Metrics as the consumers send them, read back from the embedded endpoint's CloudWatch. */
import { CloudWatchClient, GetMetricStatisticsCommand } from "@aws-sdk/client-cloudwatch";
import { expect, it } from "vitest";
import { cloudWatchMetrics } from "../../src/adapters/cloudwatch/metrics.ts";
import { systemClock } from "../../src/platform.ts";
import type { Logger } from "../../src/ports/logger.ts";
import { endpointConfig } from "./endpoint-setup.ts";

const ONE_HOUR_MILLIS = 3_600_000;
/** Enough for the SDK to compress the call. */
const MANY = 300;

it("keeps sums, counts and extremes of many series", async () => {
  const client = new CloudWatchClient(endpointConfig());
  const warnings: string[] = [];
  const ignore = () => undefined;
  const logger: Logger = {
    debug: ignore,
    info: ignore,
    error: ignore,
    warn: (_, text) => warnings.push(text),
  };
  const namespace = "conformance-metrics";
  const metrics = cloudWatchMetrics({ client, namespace, clock: systemClock, logger, level: "detailed" });
  for (let n = 0; n < MANY; n++) {
    const dimensions = { Operation: "ProcessTask", ShardId: `shardId-${n}` };
    for (const value of [n, n + 10]) metrics.record("RecordsProcessed", value, "Count", dimensions);
  }
  await metrics.stop();
  expect(warnings).toEqual([]);

  const now = systemClock.wallMillis();
  const { Datapoints } = await client.send(
    new GetMetricStatisticsCommand({
      Namespace: namespace,
      MetricName: "RecordsProcessed",
      Dimensions: [
        { Name: "Operation", Value: "ProcessTask" },
        { Name: "ShardId", Value: "shardId-7" },
      ],
      StartTime: new Date(now - ONE_HOUR_MILLIS),
      EndTime: new Date(now + ONE_HOUR_MILLIS),
      Period: 3_600,
      Statistics: ["Sum", "SampleCount", "Minimum", "Maximum"],
    }),
  );
  expect(Datapoints).toMatchObject([{ Sum: 24, SampleCount: 2, Minimum: 7, Maximum: 17 }]);
  client.destroy();
});
