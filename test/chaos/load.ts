/**
 * The records of one row: the producer's ledger of keys and its one call, but with few calls a second, one
 * after the other. kinesis-local's capacity is for the fleets.
 */
import type { KinesisClient } from "@aws-sdk/client-kinesis";
import { fileHistory } from "../../services/producer/history-sink.ts";
import { KeyLedger } from "../../services/producer/key-ledger.ts";
import { kinesisPutBatch, MAX_RECORDS_PER_CALL, type PutBatch } from "../../services/producer/put-batch.ts";
import { systemClock } from "../../src/platform.ts";
import type { Random } from "../../src/ports/random.ts";

export interface LoadOptions {
  /** Must be made with `maxAttempts: 1`. */
  readonly client: KinesisClient;
  readonly streamName: string;
  /** Records a second. */
  readonly rate: number;
  readonly historyDirectory: string;
  readonly random: Random;
}

const KEYS = 96;
const CALL_EVERY_MILLIS = 400;

export class Load {
  readonly #options: LoadOptions;
  readonly #put: PutBatch;
  readonly #ledger: KeyLedger;
  readonly #history;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#put = kinesisPutBatch(options);
    this.#ledger = new KeyLedger("k", KEYS);
    this.#history = fileHistory(options.historyDirectory, "load");
    this.#ended = this.#run();
    this.#ended.catch(() => undefined); // `stop` rejects with it
  }

  /** Resolves when the call in flight is answered. Rejects when the load could not continue. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopping.signal.aborted) {
        const startedAt = systemClock.monotonicMillis();
        const { rate, random } = this.#options;
        // Records that a slow call delayed are not made up for: the rate is that of a quiet moment.
        for (let i = 0; i < (rate * CALL_EVERY_MILLIS) / 1_000; i++)
          this.#ledger.add(Math.floor(random.next() * KEYS));
        await this.#deliver();
        const spent = systemClock.monotonicMillis() - startedAt;
        await systemClock.sleep(Math.max(0, CALL_EVERY_MILLIS - spent), this.#stopping.signal);
      }
    } finally {
      await this.#history.close();
    }
  }

  /** Each key is in a batch at most once, so that its records are put in order. */
  async #deliver(): Promise<void> {
    const batch = this.#ledger.take(MAX_RECORDS_PER_CALL);
    if (batch.length === 0) return;
    const t = systemClock.wallMillis();
    const answer = await this.#put(batch);
    for (const [i, record] of batch.entries()) {
      const { key, n } = record;
      const result = answer.kind === "answered" ? answer.records[i] : undefined;
      if (result?.kind === "put") {
        const { shardId, sequenceNumber } = result;
        this.#history.write({ type: "put", t, key, n, shardId, sequenceNumber });
      } else if (answer.kind === "unknown")
        this.#history.write({ type: "event", t, name: "put-unknown", key, n });
      this.#ledger.settle(
        record,
        result?.kind === "put" ? "put" : answer.kind === "unknown" ? "unknown" : "not-put",
      );
    }
  }
}
