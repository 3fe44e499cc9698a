/** A stream for one test on any endpoint that speaks Kinesis, and the calls that reshard it. */
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  MergeShardsCommand,
  PutRecordCommand,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import { kinesisStream } from "../../src/adapters/kinesis/stream.ts";
import { midpoint } from "../../src/core/hash-range.ts";
import { systemClock } from "../../src/platform.ts";
import type { StreamUnderTest } from "./stream-suite.ts";

const POLL_MILLIS = 20;
const MAX_POLLS = 1_000;

export async function kinesisUnderTest(
  client: KinesisClient,
  streamName: string,
  shards: number,
): Promise<StreamUnderTest> {
  const active = async () => {
    for (let poll = 0; poll < MAX_POLLS; poll++) {
      const summary = await client.send(new DescribeStreamSummaryCommand({ StreamName: streamName }));
      if (summary.StreamDescriptionSummary?.StreamStatus === "ACTIVE") return;
      await systemClock.sleep(POLL_MILLIS);
    }
    throw new Error(`stream ${streamName} does not become ACTIVE`);
  };
  await client.send(new CreateStreamCommand({ StreamName: streamName, ShardCount: shards }));
  await active();
  return {
    stream: kinesisStream({ client, streamName }),
    async put({ partitionKey, explicitHashKey, data }) {
      await client.send(
        new PutRecordCommand({
          StreamName: streamName,
          PartitionKey: partitionKey,
          ExplicitHashKey: String(explicitHashKey),
          Data: new TextEncoder().encode(data),
        }),
      );
    },
    async split({ shardId, hashRange }) {
      await client.send(
        new SplitShardCommand({
          StreamName: streamName,
          ShardToSplit: shardId,
          NewStartingHashKey: String(midpoint(hashRange)),
        }),
      );
      await active();
    },
    async merge(left, right) {
      await client.send(
        new MergeShardsCommand({
          StreamName: streamName,
          ShardToMerge: left.shardId,
          AdjacentShardToMerge: right.shardId,
        }),
      );
      await active();
    },
    async close() {
      await client.send(new DeleteStreamCommand({ StreamName: streamName }));
    },
  };
}
