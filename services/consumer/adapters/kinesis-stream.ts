/** The stream in Kinesis (`ports/stream.ts`). */
import {
  type ChildShard,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  type KinesisClient,
  type _Record as KinesisRecord,
  type Shard as KinesisShard,
  ListShardsCommand,
} from "@aws-sdk/client-kinesis";
import { errorClassOf } from "../core/error-class.ts";
import {
  type Position,
  type ReadResult,
  type Shard,
  type Stream,
  StreamError,
  type StreamRecord,
} from "../ports/stream.ts";
import { describeError } from "./error-text.ts";

export type StreamReference = { readonly streamName: string } | { readonly streamArn: string };
export type KinesisStreamOptions = { readonly client: KinesisClient } & StreamReference;

export function kinesisStream(options: KinesisStreamOptions): Stream {
  const { client } = options;
  const byArn = "streamArn" in options;
  const reference = byArn ? { StreamARN: options.streamArn } : { StreamName: options.streamName };
  const arn = byArn ? { StreamARN: options.streamArn } : {};
  const streamId = byArn ? options.streamArn : options.streamName;

  const problem = (error: unknown, operation: string) =>
    streamProblem(error, `${operation} of stream ${streamId}`);

  return {
    async listShards() {
      const shards: Shard[] = [];
      let token: string | undefined;
      do {
        try {
          // A page's token stands for the stream: Kinesis refuses both together.
          const page = await client.send(
            new ListShardsCommand(token === undefined ? reference : { NextToken: token }),
          );
          for (const shard of page.Shards ?? []) shards.push(listedShard(shard));
          token = page.NextToken || undefined;
        } catch (error) {
          throw problem(error, "ListShards");
        }
      } while (token !== undefined);
      return shards;
    },

    async iterator(shardId, position) {
      const input = { ...reference, ShardId: shardId, ...iteratorStart(position) };
      try {
        const { ShardIterator } = await client.send(new GetShardIteratorCommand(input));
        if (!ShardIterator)
          throw new StreamError("unavailable", `no iterator for ${shardId} of stream ${streamId}`);
        return ShardIterator;
      } catch (error) {
        throw problem(error, `GetShardIterator (${shardId})`);
      }
    },

    async read(iterator, maxRecords): Promise<ReadResult> {
      try {
        const answer = await client.send(
          new GetRecordsCommand({ ShardIterator: iterator, Limit: maxRecords, ...arn }),
        );
        return {
          records: mapRecords(answer.Records),
          nextIterator: answer.NextShardIterator || undefined,
          children: answer.ChildShards?.length ? answer.ChildShards.map(childShard) : undefined,
          millisBehindLatest: answer.MillisBehindLatest ?? 0,
        };
      } catch (error) {
        throw problem(error, "GetRecords");
      }
    },
  };
}

const NONE: readonly StreamRecord[] = [];
const UNKNOWN_ARRIVAL = new Date(0);

/** The hot path: one small object a record; the data is the SDK's own array, not a copy. */
function mapRecords(records: readonly KinesisRecord[] | undefined): readonly StreamRecord[] {
  if (records === undefined || records.length === 0) return NONE;
  const mapped: StreamRecord[] = new Array(records.length);
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as KinesisRecord;
    mapped[index] = {
      data: record.Data as Uint8Array,
      partitionKey: record.PartitionKey as string,
      sequenceNumber: record.SequenceNumber as string,
      subSequenceNumber: 0,
      approximateArrivalTimestamp: record.ApproximateArrivalTimestamp ?? UNKNOWN_ARRIVAL,
    };
  }
  return mapped;
}

function listedShard(shard: KinesisShard): Shard {
  return {
    shardId: shard.ShardId ?? "",
    parentShardIds: [shard.ParentShardId, shard.AdjacentParentShardId].filter(
      (parent) => parent !== undefined,
    ),
    hashRange: hashRange(shard),
    closed: shard.SequenceNumberRange?.EndingSequenceNumber !== undefined,
  };
}

/** Whether a child was closed in turn, the parent's last read does not say: that is found at its own end. */
function childShard(child: ChildShard): Shard {
  return {
    shardId: child.ShardId ?? "",
    parentShardIds: child.ParentShards ?? [],
    hashRange: hashRange(child),
    closed: false,
  };
}

function hashRange({ HashKeyRange }: KinesisShard | ChildShard) {
  return { start: BigInt(HashKeyRange?.StartingHashKey ?? 0), end: BigInt(HashKeyRange?.EndingHashKey ?? 0) };
}

type IteratorStart = Pick<
  GetShardIteratorCommandInput,
  "ShardIteratorType" | "Timestamp" | "StartingSequenceNumber"
>;

function iteratorStart(position: Position): IteratorStart {
  switch (position.kind) {
    case "trim-horizon":
      return { ShardIteratorType: "TRIM_HORIZON" };
    case "latest":
      return { ShardIteratorType: "LATEST" };
    case "at-timestamp":
      return { ShardIteratorType: "AT_TIMESTAMP", Timestamp: position.timestamp };
    case "at-sequence-number":
      return { ShardIteratorType: "AT_SEQUENCE_NUMBER", StartingSequenceNumber: position.sequenceNumber };
    case "after-sequence-number":
      return { ShardIteratorType: "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber: position.sequenceNumber };
  }
}

export function streamProblem(error: unknown, operation: string): StreamError {
  if (error instanceof StreamError) return error;
  const { name, text } = describeError(error);
  const problem = name === "ExpiredIteratorException" ? "expired-iterator" : errorClassOf(name);
  return new StreamError(problem, `${operation} failed: ${text}`, { cause: error });
}
