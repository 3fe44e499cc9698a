/** The stream as the lab reads it: shards, lineage, status. */
import {
  DescribeStreamSummaryCommand,
  type Shard as KinesisShard,
  ListShardsCommand,
  type ListShardsCommandInput,
} from "@aws-sdk/client-kinesis";
import type { HashRange } from "../../src/core/hash-range.ts";
import type { Clients } from "./clients.ts";

export interface StreamShard {
  readonly shardId: string;
  readonly parents: readonly string[];
  readonly range: HashRange;
  readonly open: boolean;
}

/** A stream of 10,000 shards has ten pages. A hundred pages mean a broken endpoint. */
const MAX_PAGES = 100;

export async function listShards(clients: Clients, streamName: string): Promise<StreamShard[]> {
  const shards: StreamShard[] = [];
  let input: ListShardsCommandInput = { StreamName: streamName };
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await clients.kinesis.send(new ListShardsCommand(input));
    shards.push(...(answer.Shards ?? []).map(toShard));
    if (!answer.NextToken) return shards;
    input = { NextToken: answer.NextToken };
  }
  throw new Error(`ListShards of ${streamName} did not end after ${MAX_PAGES} pages`);
}

function toShard(shard: KinesisShard): StreamShard {
  return {
    shardId: shard.ShardId ?? "",
    parents: [shard.ParentShardId, shard.AdjacentParentShardId].filter((id) => id !== undefined),
    range: {
      start: BigInt(shard.HashKeyRange?.StartingHashKey ?? "0"),
      end: BigInt(shard.HashKeyRange?.EndingHashKey ?? "0"),
    },
    open: shard.SequenceNumberRange?.EndingSequenceNumber === undefined,
  };
}

export async function streamStatus(clients: Clients, streamName: string): Promise<string> {
  const answer = await clients.kinesis.send(new DescribeStreamSummaryCommand({ StreamName: streamName }));
  return answer.StreamDescriptionSummary?.StreamStatus ?? "UNKNOWN";
}
