/** The public API with a handler that only counts, on a fresh lease table. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { createWorker } from "../../../src/index.ts";
import { CREDENTIALS, REGION, readInput, startMeasuring, tell } from "./reading.ts";

process.env.AWS_ACCESS_KEY_ID = CREDENTIALS.accessKeyId;
process.env.AWS_SECRET_ACCESS_KEY = CREDENTIALS.secretAccessKey;
const { kinesisUrl, dynamoDbUrl, streamName, records: expected, table } = readInput();
let seen = 0;
let bytes = 0;
let measured = () => ({ cpuMicros: 0, peakMebibytes: 0 });
const worker = createWorker({
  applicationName: table,
  streamName,
  // The Kinesis client is the engine's own, as for all users who do not bring one.
  region: REGION,
  endpoint: kinesisUrl,
  clients: {
    dynamodb: new DynamoDBClient({ endpoint: dynamoDbUrl, region: REGION, credentials: CREDENTIALS }),
  },
  metricsLevel: "none",
  processRecords: ({ records }) => {
    for (const { data } of records) bytes += data.length;
    seen += records.length;
    if (seen < expected) return;
    if (seen > expected || bytes === 0) throw new Error(`${seen} records were handled, ${expected} were put`);
    tell(measured());
  },
});
measured = startMeasuring();
await worker.start();
