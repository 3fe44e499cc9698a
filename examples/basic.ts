/**
 * The smallest consumer: logs every record, and hands its leases over at SIGTERM or Ctrl-C. Start it twice,
 * and the two share the shards.
 *
 * Run it in a clone, against the embedded endpoint (`npm run local` in another terminal):
 *
 *     eval "$(npx evenkeel env)"
 *     awslocal kinesis create-stream --stream-name orders --shard-count 4
 *     npx tsx examples/basic.ts
 *     awslocal kinesis put-record --stream-name orders --partition-key ann --data order-of-ann
 *
 * On AWS it needs a region, credentials and the rights in docs/aws.md.
 */
import { fileURLToPath } from "node:url";
import { createWorker, type ProcessRecordsInput } from "evenkeel";

const text = new TextDecoder();

export function processRecords({ shardId, records }: ProcessRecordsInput): void {
  for (const { data, partitionKey } of records) console.log(shardId, partitionKey, text.decode(data));
}

async function main(): Promise<void> {
  const worker = createWorker({ applicationName: "orders", streamName: "orders", processRecords });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, async () => {
      const unfinished = await worker.stop();
      process.exit(unfinished.length === 0 ? 0 : 1);
    });
  }
  await worker.start();
  console.log(worker.workerId, "takes part");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
