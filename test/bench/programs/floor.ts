/**
 * The minimum cost of reading with the AWS SDK: an iterator, then GetRecords in a loop. All shards at once.
 */
import { GetRecordsCommand, GetShardIteratorCommand, ListShardsCommand } from "@aws-sdk/client-kinesis";
import { kinesisClient, readInput, startMeasuring, tell } from "./reading.ts";

const { kinesisUrl, streamName: StreamName, records } = readInput();
const client = kinesisClient(kinesisUrl);
const measured = startMeasuring();
let seen = 0;
let bytes = 0;
const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName }));
await Promise.all(
  Shards.map(async ({ ShardId }) => {
    const start = new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" });
    let { ShardIterator } = await client.send(start);
    while (ShardIterator) {
      const answer = await client.send(new GetRecordsCommand({ ShardIterator, Limit: 10_000 }));
      for (const { Data } of answer.Records ?? []) bytes += Data!.length;
      seen += answer.Records?.length ?? 0;
      if (!answer.Records?.length) return;
      ShardIterator = answer.NextShardIterator;
    }
  }),
);
if (seen !== records || bytes === 0) throw new Error(`${seen} records were there, ${records} were put`);
tell(measured());
