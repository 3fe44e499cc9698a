/** The stream's shards and status, from Kinesis. */
import {
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  type Shard,
  SplitShardCommand,
  UpdateShardCountCommand,
} from "@aws-sdk/client-kinesis";
import { type ExistingShard, type ReshardableStream, StreamRefusal } from "../ports.ts";
import { refusing } from "./refusals.ts";

export interface KinesisStreamProps {
  readonly client: KinesisClient;
  readonly streamName: string;
}

export function kinesisStream({ client, streamName }: KinesisStreamProps): ReshardableStream {
  const summary = async () => {
    const answer = await fromStream(
      client.send(new DescribeStreamSummaryCommand({ StreamName: streamName })),
    );
    const found = answer.StreamDescriptionSummary;
    // For example a proxy's empty 200: not an answer from Kinesis.
    if (found?.StreamStatus === undefined)
      throw new StreamRefusal("unavailable", "DescribeStreamSummary answered without a stream status");
    return found;
  };
  return {
    async status() {
      const { StreamStatus: status } = await summary();
      if (status === "DELETING") throw new Error(`stream ${streamName} is being deleted`);
      return status === "ACTIVE" ? "active" : "updating";
    },
    async openShardCount() {
      return (await summary()).OpenShardCount ?? 0;
    },
    async openShards() {
      const open: ExistingShard[] = [];
      let token: string | undefined;
      do {
        // The listing includes closed shards. ShardFilter could exclude them, but not every endpoint supports
        // it.
        const page = await fromStream(
          client.send(
            new ListShardsCommand(token === undefined ? { StreamName: streamName } : { NextToken: token }),
          ),
        );
        if (page.Shards === undefined)
          throw new StreamRefusal("unavailable", "ListShards answered without a list of shards");
        open.push(...page.Shards.filter(isOpen).map(toOpenShard));
        token = page.NextToken;
      } while (token !== undefined);
      return open;
    },
    async split(shardId, newStartingHashKey) {
      const cut = {
        StreamName: streamName,
        ShardToSplit: shardId,
        NewStartingHashKey: String(newStartingHashKey),
      };
      await fromStream(client.send(new SplitShardCommand(cut)));
    },
    async merge(lowerShardId, upperShardId) {
      const pair = { StreamName: streamName, ShardToMerge: lowerShardId, AdjacentShardToMerge: upperShardId };
      await fromStream(client.send(new MergeShardsCommand(pair)));
    },
    async updateShardCount(target) {
      const update = {
        StreamName: streamName,
        TargetShardCount: target,
        ScalingType: "UNIFORM_SCALING",
      } as const;
      await fromStream(client.send(new UpdateShardCountCommand(update)));
    },
  };
}

const isOpen = (shard: Shard) => shard.SequenceNumberRange?.EndingSequenceNumber === undefined;

function toOpenShard(shard: Shard): ExistingShard {
  const { StartingHashKey, EndingHashKey } = shard.HashKeyRange ?? {};
  if (shard.ShardId === undefined || StartingHashKey === undefined || EndingHashKey === undefined) {
    throw new Error(`ListShards answered a shard without id or hash range: ${JSON.stringify(shard)}`);
  }
  const merged = shard.AdjacentParentShardId !== undefined;
  return {
    shardId: shard.ShardId,
    hashRange: { start: BigInt(StartingHashKey), end: BigInt(EndingHashKey) },
    splitFrom: merged ? undefined : shard.ParentShardId,
  };
}

const fromStream = <T>(call: Promise<T>) =>
  refusing(call, (problem, message, options) => new StreamRefusal(problem, message, options));
