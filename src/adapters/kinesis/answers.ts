/**
 * Decodes Kinesis's answers, and checks them for the fields that a real one always has. An empty 200 from a
 * proxy, or half of an answer, must not count as the end of a shard or as a stream without shards. It is a
 * "malformed-answer".
 *
 * GetRecords: `Records` and `MillisBehindLatest` always (Kinesis, kinesis-local, kinesalite, MiniStack). At
 * the end of a shard there is no `NextShardIterator`. Then Kinesis and kinesis-local return `ChildShards`;
 * kinesalite does not. So an answer alone cannot prove the end: the reader checks the listing
 * (`engine/reader/listing.ts`).
 *
 * ListShards: `Shards`, each with its id, hash range and sequence number range.
 */
import type {
  ChildShard,
  GetRecordsCommandOutput,
  GetShardIteratorCommandOutput,
  HashKeyRange,
  _Record as KinesisRecord,
  Shard as KinesisShard,
  ListShardsCommandOutput,
} from "@aws-sdk/client-kinesis";
import type { HashRange } from "../../core/hash-range.ts";
import { type ReadResult, type Shard, StreamError, type StreamRecord } from "../../ports/stream.ts";

/** @throws StreamError "malformed-answer" */
export function readResult(answer: GetRecordsCommandOutput): ReadResult {
  const { Records, MillisBehindLatest, NextShardIterator, ChildShards } = answer;
  if (!Array.isArray(Records)) malformed("GetRecords", "Records");
  if (typeof MillisBehindLatest !== "number" || !(MillisBehindLatest >= 0)) {
    malformed("GetRecords", "MillisBehindLatest");
  }
  const nextIterator = NextShardIterator || undefined;
  return {
    records: streamRecords(Records),
    nextIterator,
    // While there is a next iterator, children have no meaning.
    children: nextIterator === undefined && ChildShards?.length ? ChildShards.map(childShard) : undefined,
    millisBehindLatest: MillisBehindLatest,
  };
}

/** @throws StreamError "malformed-answer" */
export function shardIterator({ ShardIterator }: GetShardIteratorCommandOutput): string {
  return ShardIterator || malformed("GetShardIterator", "ShardIterator");
}

/**
 * One page of shards.
 *
 * @throws StreamError "malformed-answer"
 */
export function listedShards({ Shards }: ListShardsCommandOutput): readonly Shard[] {
  if (!Array.isArray(Shards)) malformed("ListShards", "Shards");
  return Shards.map(listedShard);
}

const NONE: readonly StreamRecord[] = [];
const UNKNOWN_ARRIVAL = new Date(0);

/** The hot path: one small object per record. The data is the SDK's own array, not a copy. */
function streamRecords(records: readonly KinesisRecord[]): readonly StreamRecord[] {
  if (records.length === 0) return NONE;
  const mapped: StreamRecord[] = new Array(records.length);
  for (let index = 0; index < records.length; index++) {
    const record: Partial<KinesisRecord> = records[index] ?? {};
    const { Data, PartitionKey, SequenceNumber, ApproximateArrivalTimestamp } = record;
    if (!(Data instanceof Uint8Array)) malformed("GetRecords", "a record's Data");
    // An empty key is allowed here: Kinesis refuses to accept one, but another endpoint may return it.
    if (typeof PartitionKey !== "string") malformed("GetRecords", "a record's PartitionKey");
    if (!SequenceNumber) malformed("GetRecords", "a record's SequenceNumber");
    mapped[index] = {
      data: Data,
      partitionKey: PartitionKey,
      sequenceNumber: SequenceNumber,
      subSequenceNumber: 0,
      approximateArrivalTimestamp: ApproximateArrivalTimestamp ?? UNKNOWN_ARRIVAL,
    };
  }
  return mapped;
}

function listedShard(shard: Partial<KinesisShard> | null): Shard {
  const { ShardId, HashKeyRange, SequenceNumberRange, ParentShardId, AdjacentParentShardId } = shard ?? {};
  if (!SequenceNumberRange) malformed("ListShards", "a shard's SequenceNumberRange");
  return {
    shardId: ShardId || malformed("ListShards", "a ShardId"),
    parentShardIds: [ParentShardId, AdjacentParentShardId].filter((parent) => !!parent) as string[],
    hashRange: hashRange("ListShards", HashKeyRange),
    closed: !!SequenceNumberRange.EndingSequenceNumber,
    startingSequenceNumber: SequenceNumberRange.StartingSequenceNumber,
  };
}

/**
 * The parent's last read does not show whether the child was closed in turn. That is found at the child's own
 * end.
 */
function childShard(child: Partial<ChildShard> | null): Shard {
  const { ShardId, ParentShards, HashKeyRange } = child ?? {};
  return {
    shardId: ShardId || malformed("GetRecords", "a child's ShardId"),
    parentShardIds: ParentShards ?? [],
    hashRange: hashRange("GetRecords", HashKeyRange),
    closed: false,
  };
}

function hashRange(operation: string, range: HashKeyRange | undefined): HashRange {
  const { StartingHashKey = "", EndingHashKey = "" } = range ?? {};
  if (!/^\d+$/.test(StartingHashKey) || !/^\d+$/.test(EndingHashKey)) malformed(operation, "a HashKeyRange");
  return { start: BigInt(StartingHashKey), end: BigInt(EndingHashKey) };
}

function malformed(operation: string, lacks: string): never {
  throw new StreamError(
    "malformed-answer",
    `the answer to ${operation} is not Kinesis's: it lacks ${lacks}; is there a proxy between?`,
  );
}
