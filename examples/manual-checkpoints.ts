/**
 * Manual checkpoints: rows are collected over several batches and written together, and only what is written
 * is checkpointed. A crash brings the rest again; a move, a stop and the end of a shard write it first.
 *
 * Run it as basic.ts says: `npx tsx examples/manual-checkpoints.ts rows.txt`.
 */
import { appendFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type ConsumerRecord, createWorker, type WorkerEvent, type WorkerOptions } from "evenkeel";

type Rows = readonly ConsumerRecord[];

/** @param least rows of one write; the last rows of a quiet shard wait for more, for a move or for a stop */
export function manualCheckpoints(write: (rows: Rows) => Promise<void>, least = 1_000) {
  const collected = new Map<string, Rows>();

  /** Waits out what fails: between calls that only collect, one that throws would look like a poison record. */
  async function writeInTheEnd(rows: Rows, signal: AbortSignal): Promise<void> {
    for (let pauseMillis = 200; ; pauseMillis = Math.min(2 * pauseMillis, 30_000)) {
      signal.throwIfAborted();
      const failure = await write(rows).catch((error: unknown) => ({ error }));
      if (failure === undefined) return;
      console.error("the rows are not written yet:", failure.error);
      await sleep(pauseMillis, undefined, { signal });
    }
  }

  return {
    checkpointMode: "manual",
    processRecords: async ({ shardId, records, checkpoint, draining, signal }) => {
      const rows = [...(collected.get(shardId) ?? []), ...records];
      if (rows.length < least) return void collected.set(shardId, rows);
      await writeInTheEnd(rows, AbortSignal.any([draining, signal]));
      collected.delete(shardId);
      await checkpoint(); // this batch, and with it all before it
    },
    shutdownRequested: async ({ shardId, checkpoint }) => {
      const rows = collected.get(shardId) ?? [];
      collected.delete(shardId); // when the write fails, the next owner gets the rows again
      if (rows.length > 0) await write(rows);
      await checkpoint();
    },
    shardEnded: async ({ shardId, checkpoint }) => {
      const rows = collected.get(shardId) ?? [];
      if (rows.length > 0) await write(rows); // when it throws, the hook is called again
      collected.delete(shardId);
      await checkpoint(); // the children of the shard can start
    },
    leaseLost: ({ shardId }) => void collected.delete(shardId),
  } satisfies Partial<WorkerOptions>;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = process.argv[2] ?? "rows.txt";
  const append = (rows: Rows) => appendFile(file, rows.map(({ data }) => `${Buffer.from(data)}\n`).join(""));
  const onEvent = (event: WorkerEvent) => event.type === "batch" && console.log("collected", event.count);
  const stream = { applicationName: "orders", streamName: "orders" };
  const worker = createWorker({ ...stream, ...manualCheckpoints(append), onEvent });
  process.once("SIGTERM", () => void worker.stop().then((left) => process.exit(left.length === 0 ? 0 : 1)));
  await worker.start();
}
