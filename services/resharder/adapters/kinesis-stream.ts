/** The stream as Kinesis has it. */
import {
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  type Shard,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import { type ExistingShard, type ReshardableStream, type StreamProblem, StreamRefusal } from "../ports.ts";

export interface KinesisStreamProps {
  readonly client: KinesisClient;
  readonly streamName: string;
}

export function kinesisStream({ client, streamName }: KinesisStreamProps): ReshardableStream {
  return {
    async status() {
      const answer = await refusing(
        client.send(new DescribeStreamSummaryCommand({ StreamName: streamName })),
      );
      const status = answer.StreamDescriptionSummary?.StreamStatus;
      if (status === "DELETING") throw new Error(`stream ${streamName} is being deleted`);
      return status === "ACTIVE" ? "active" : "updating";
    },
    async openShards() {
      const open: ExistingShard[] = [];
      let token: string | undefined;
      do {
        // Closed shards are listed too (ShardFilter would leave them out, but not every endpoint knows it).
        const page = await refusing(
          client.send(
            new ListShardsCommand(token === undefined ? { StreamName: streamName } : { NextToken: token }),
          ),
        );
        open.push(...(page.Shards ?? []).filter(isOpen).map(toOpenShard));
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
      await refusing(client.send(new SplitShardCommand(cut)));
    },
    async merge(lowerShardId, upperShardId) {
      const pair = { StreamName: streamName, ShardToMerge: lowerShardId, AdjacentShardToMerge: upperShardId };
      await refusing(client.send(new MergeShardsCommand(pair)));
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

/**
 * Names the refusals the plan can answer to. A limit on the *number* of shards is a LimitExceededException too: the
 * caller's bound on refusals in a row ends it, with Kinesis's message.
 */
const PROBLEMS: Readonly<Record<string, StreamProblem>> = {
  ResourceInUseException: "busy",
  LimitExceededException: "throttled",
  ProvisionedThroughputExceededException: "throttled",
  ThrottlingException: "throttled",
  InvalidArgumentException: "stale",
};

async function refusing<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const problem = error instanceof Error ? PROBLEMS[error.name] : undefined;
    if (problem === undefined) throw error;
    throw new StreamRefusal(problem, `${(error as Error).name}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
