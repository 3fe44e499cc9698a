/** kinesalite with a full stream and dynalite, in one process that is not measured. */
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  PutRecordsCommand,
} from "@aws-sdk/client-kinesis";
import { startDynalite, startKinesalite } from "../../conformance/local-servers.ts";

export interface ServerReady {
  readonly kinesisUrl: string;
  readonly dynamoDbUrl: string;
  readonly streamName: string;
}

const BATCH = 500;
const POLL_MILLIS = 20;

const { records, shards, dataBytes } = JSON.parse(process.argv[2]!) as {
  records: number;
  shards: number;
  dataBytes: number;
};
const [kinesis, dynamoDb] = await Promise.all([startKinesalite(), startDynalite()]);
const StreamName = "bench";
await kinesis.client.send(new CreateStreamCommand({ StreamName, ShardCount: shards }));
const status = async () =>
  (await kinesis.client.send(new DescribeStreamSummaryCommand({ StreamName }))).StreamDescriptionSummary
    ?.StreamStatus;
while ((await status()) !== "ACTIVE") await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS));
const Data = new Uint8Array(dataBytes).map((_, i) => (i * 31) % 251);
const width = (1n << 128n) / BigInt(shards);
for (let put = 0; put < records; put += BATCH) {
  const answer = await kinesis.client.send(
    new PutRecordsCommand({
      StreamName,
      Records: Array.from({ length: Math.min(BATCH, records - put) }, (_, i) => ({
        Data,
        PartitionKey: `key-${put + i}`,
        ExplicitHashKey: String(width * BigInt(i % shards)),
      })),
    }),
  );
  if (answer.FailedRecordCount) throw new Error(`${answer.FailedRecordCount} records were not taken`);
}
const ready: ServerReady = { kinesisUrl: kinesis.url, dynamoDbUrl: dynamoDb.url, streamName: StreamName };
process.send!(ready);
process.on("disconnect", () => process.exit(0));
