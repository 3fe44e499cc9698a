/**
 * Dead letters: a record that can never be processed is put aside, with the reason, and the shard goes on.
 * Trouble that passes (a downstream that is down) is waited out instead: nothing is put aside for it.
 *
 * Run it as basic.ts says: `npx tsx examples/dead-letter.ts dead-letters.jsonl`.
 */
import { appendFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type ConsumerRecord, createWorker, PoisonRecordError, type ProcessRecords } from "evenkeel";

interface Order {
  readonly id: string;
}

function orderOf(record: ConsumerRecord): Order {
  try {
    return JSON.parse(new TextDecoder().decode(record.data)) as Order;
  } catch (error) {
    // No further tries: the record goes to the dead letters at once. Any other error is waited out.
    throw new PoisonRecordError(record, { cause: error });
  }
}

export const handlerFor =
  (handle: (order: Order, signal: AbortSignal) => Promise<void>): ProcessRecords =>
  async ({ records, signal }) => {
    for (const record of records) await handle(orderOf(record), signal);
  };

/** In a service of yours: a queue. A record may come twice, and one whose promise rejects comes again. */
export const deadLetterTo = (file: string) => async (record: ConsumerRecord, error: Error) => {
  const { partitionKey, sequenceNumber, subSequenceNumber, data } = record;
  const base64 = Buffer.from(data).toString("base64");
  const line = { partitionKey, sequenceNumber, subSequenceNumber, error: error.message, data: base64 };
  await appendFile(file, `${JSON.stringify(line)}\n`);
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const worker = createWorker({
    applicationName: "orders",
    streamName: "orders",
    processRecords: handlerFor(async ({ id }) => console.log("order", id)),
    onError: { deadLetter: deadLetterTo(process.argv[2] ?? "dead-letters.jsonl") },
  });
  process.once("SIGTERM", () => void worker.stop().then((left) => process.exit(left.length === 0 ? 0 : 1)));
  await worker.start();
}
