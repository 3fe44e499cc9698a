/**
 * The CloudWatch series of a worker's shards at the default level: as many with twenty shards as with one.
 */
import type { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { expect, it } from "vitest";
import { cloudWatchMetrics } from "../../../src/adapters/cloudwatch/metrics.ts";
import { ErrorReports } from "../../../src/engine/error-reports.ts";
import { silentLogger } from "../../../src/ports/logger.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { checkpointAt, shardWorld } from "./shard-world.ts";

async function seriesOf(shards: number, level: "summary" | "detailed"): Promise<readonly string[]> {
  const clock = new VirtualClock();
  const sent = new Set<string>();
  const client = {
    send: async ({ input }: PutMetricDataCommand) => {
      for (const { MetricName, Dimensions = [] } of input.MetricData ?? [])
        sent.add([MetricName, ...Dimensions.map(({ Name, Value }) => `${Name}=${Value}`)].join(" "));
    },
  } as unknown as CloudWatchClient;
  const metrics = cloudWatchMetrics({ client, namespace: "orders", clock, logger: silentLogger, level });
  const reports = new ErrorReports({ clock, logger: silentLogger, metrics });
  for (let n = 0; n < shards; n += 1) {
    shardWorld({
      clock,
      checkpoint: checkpointAt(1),
      deps: { metrics, reports },
      prepare: (stream) => {
        stream.put(10);
        stream.readFaults.push("throttled", undefined, "expired-iterator", "denied");
      },
    });
  }
  await clock.advance(60_000);
  await Promise.all([metrics.stop(), clock.advance(1_000)]);
  return [...sent].sort();
}

it("twenty shards that read, process and fail make no more series than one", async () => {
  const one = await seriesOf(1, "summary");
  expect(one).toEqual([
    "DataBytesProcessed Operation=ProcessTask",
    "Errors Operation=AllErrors",
    "Errors Operation=ErrorsForAPerson",
    "Errors Operation=reading ErrorClass=denied",
    "Errors Operation=reading ErrorClass=throttled",
    "ExpiredIterator Operation=ProcessTask",
    "MillisBehindLatest Operation=ApplicationTracker",
    "RecordProcessor.processRecords.Time Operation=ProcessTask",
    "RecordsProcessed Operation=ProcessTask",
    "Success Operation=ProcessTask",
  ]);
  expect(await seriesOf(20, "summary")).toEqual(one);
});

it("each shard has series of its own where they are asked for", async () => {
  const perShard = (await seriesOf(1, "detailed")).filter((series) => series.includes("ShardId="));
  expect(perShard.map((series) => series.split(" ")[0])).toEqual([
    "DataBytesProcessed",
    "ExpiredIterator",
    "KinesisDataFetcher.getRecords.Success",
    "KinesisDataFetcher.getRecords.Time",
    "MillisBehindLatest",
    "RecordProcessor.processRecords.Time",
    "RecordsProcessed",
    "Success",
  ]);
});
